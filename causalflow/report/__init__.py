"""Reports: a fitted model measured on held-out pictures, as numbers, a table and a page."""
