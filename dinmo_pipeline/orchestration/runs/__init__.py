"""What runs are, and how they end."""
