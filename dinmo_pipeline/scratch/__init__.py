"""Files that end with their process: marks of living processes, and folders that the next one removes."""
