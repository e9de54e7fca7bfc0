"""The guards that hold a change set until a person releases it."""
