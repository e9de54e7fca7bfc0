"""The pipeline as Dagster sees it: resources, assets, checks, jobs, a sensor and schedules."""
