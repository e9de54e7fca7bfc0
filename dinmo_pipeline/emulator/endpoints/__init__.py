"""One module per group of routes, and the views that they answer with."""
