"""The model: a graph compiled to mechanisms, and what can be asked of it."""
