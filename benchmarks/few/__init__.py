"""Few calls: the solver `difference` beside leap-frog, on the image graphs that ship."""
