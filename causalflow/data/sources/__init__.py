"""Sources: where users keep rows with pictures, each opened to labels and pictures."""
