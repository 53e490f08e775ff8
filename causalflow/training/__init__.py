"""Training: from data to averaged weights, on one device or many, killed and resumed at will."""
