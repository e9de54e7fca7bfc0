"""Drives drt-core's Intercom destination; run by the interpreter that has drt-core, with two arguments.

It calls `load` as `drt run` does, with records, a configuration and sync options. With `update_only` it never
creates a contact, as we never do. Its pacing, by default 10 calls per second, is off. It has no setting for
Intercom's host, so a subclass replaces it.
"""

import json
import sys
import time

from drt.config.models import IntercomDestinationConfig, SyncOptions
from drt.destinations.intercom import IntercomDestination

PROPERTIES = '{"email": "{{ row.email }}", "custom_attributes": {"vip": "{{ row.vip }}"}}'


def main(base_url: str, members: str) -> None:
    """Update the members, and print how many were updated and in how many seconds.

    Args:
        base_url: The emulator's base URL.
        members: A file with one email per line.
    """

    class Local(IntercomDestination):
        BASE_URL = f"{base_url}/contacts"
        SEARCH_URL = f"{BASE_URL}/search"

    config = IntercomDestinationConfig(
        type="intercom",
        auth={"type": "bearer", "token": "token-of-the-benchmark"},
        properties_template=PROPERTIES,
    )
    options = SyncOptions(match_policy="update_only", rate_limit={"requests_per_second": 0})
    with open(members, encoding="utf-8") as file:  # noqa: PTH123  # as short as can be
        records = [{"email": line.strip(), "vip": "yes"} for line in file]
    started = time.perf_counter()
    result = Local().load(records, config, options)
    seconds = time.perf_counter() - started
    sys.stdout.write(json.dumps({"updated": result.success, "seconds": seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
