"""`python -m dinmo_pipeline.cli` is `dinmo`."""

from dinmo_pipeline.cli.main import main

main()
