"""Design: what textbooks answer from the graph alone, adjustment sets and short formulas."""
