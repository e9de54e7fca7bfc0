"""Ids that look random but depend only on a seed."""

import hashlib
from itertools import count
from typing import Final

_CONTACT_BITS: Final = 96
_REQUEST_BITS: Final = 80

# An odd multiplier permutes the numbers below a power of two. So ids never repeat, and as in Intercom,
# their order says nothing about the order of creation.
_STRIDE: Final = 0x9E3779B97F4A7C15F39CC060


class Ids:
    """The ids of a workspace; workspaces with the same seed have the same ids."""

    def __init__(self, seed: int, first_tag_id: int = 0) -> None:
        digest = hashlib.sha256(f"dinmo emulator {seed}".encode()).digest()
        self._offset = int.from_bytes(digest[:12], "big")
        self._tags = count(first_tag_id or 1_000_000 + self._offset % 9_000_000)
        self._requests = count()

    def contact(self, seq: int) -> str:
        """The id of the contact at a position in the order of creation: 24 hexadecimal characters."""
        return f"{(seq * _STRIDE + self._offset) % (1 << _CONTACT_BITS):024x}"

    def lead_external_id(self, seq: int) -> str:
        """The external id that Intercom gives a lead: a UUID."""
        digits = f"{self.contact(seq)}{seq % (1 << 24):06x}"
        return f"{digits[:8]}-{digits[8:12]}-4{digits[12:15]}-8{digits[15:18]}-{digits[18:]}"

    def tag(self) -> str:
        """The next tag id: decimal digits."""
        return str(next(self._tags))

    def request(self) -> str:
        """The next request id: 20 characters, as recorded (the official description says UUID)."""
        return f"{(next(self._requests) * _STRIDE + self._offset) % (1 << _REQUEST_BITS):020x}"
