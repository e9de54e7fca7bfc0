"""A dbt project as its manifest describes it: the tables of its models, and the keys of their assets."""
