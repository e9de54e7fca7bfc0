"""Commands that run the system around the pipeline: the emulator, the demo, upkeep."""
