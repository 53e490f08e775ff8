"""Reports: a fitted model measured on pictures, as numbers, a table and a page."""
