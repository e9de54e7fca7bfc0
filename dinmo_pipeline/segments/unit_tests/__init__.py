"""Unit tests of segments: given these rows, exactly these are members."""
