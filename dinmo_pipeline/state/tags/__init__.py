"""Which tag belongs to which activation, and who carries a tag that we did not put on."""
