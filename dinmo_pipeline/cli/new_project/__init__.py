"""What `dinmo init` makes: the text of each file of a project, written without overwriting anything."""
