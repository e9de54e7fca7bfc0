"""What people ask about the past and about one person; everything here only reads."""
