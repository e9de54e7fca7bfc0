"""Segments in the warehouse, tags in Intercom."""
