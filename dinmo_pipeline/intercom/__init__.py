"""The client of the REST API: transport, pacing, errors, contacts, tags."""
