"""Ends the processes of a `dinmo` that was killed: it reads their ids, and learns of the end by the pipe's.

Run as a script: it imports only the standard library, to start fast and stay small.
"""

import os
import signal
import sys
import time

_GRACE_SECONDS = 10.0


def _exists(leader: int) -> bool:
    try:
        os.killpg(leader, 0)
    except OSError:
        return False
    return True


def main() -> None:
    """Read one id a line. After `done`, nothing is left to end."""
    leaders = []
    for line in sys.stdin:
        if line.strip() == "done":
            return
        leaders.append(int(line))
    for number in (signal.SIGINT, signal.SIGKILL):
        for leader in leaders:
            if _exists(leader):
                os.killpg(leader, number)
        deadline = time.monotonic() + _GRACE_SECONDS
        while any(map(_exists, leaders)) and time.monotonic() < deadline:
            time.sleep(0.1)


if __name__ == "__main__":
    main()
