"""What the emulated Intercom knows, and how it searches."""
