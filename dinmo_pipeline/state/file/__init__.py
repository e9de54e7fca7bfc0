"""The state file itself: how it is opened, locked, shared between processes, and kept safe."""
