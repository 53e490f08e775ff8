"""Pictures: graphs, drawn with layout, routes and style of their own, and grids of images."""
