"""Pictures: graphs (`causalflow.plot.graph`, with its layout, routes and style) and image grids."""
