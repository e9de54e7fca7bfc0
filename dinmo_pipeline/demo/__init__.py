"""A sample shop, its story, its declarations, and the folder that it alone writes to.

All people, addresses and orders are invented. The mail domains are reserved for examples (RFC 2606).
"""

from pathlib import Path

DEMO_DECLARATIONS = Path(__file__).parent / "declarations"
