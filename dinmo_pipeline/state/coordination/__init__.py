"""What keeps runs away: pauses that people make, and leases of destinations."""
