"""One module per group of routes, and the JSON views that they share."""
