"""Telling people of what is wrong, and that it is right again; knows nothing of Dagster or Intercom."""
