"""`python -m dinmo_pipeline_tests.live`: check our assumptions about Intercom on a test workspace.

It needs a token in INTERCOM_TEST_ACCESS_TOKEN. To confirm that it may write to the token's workspace, pass
its id as `--workspace ID` or in INTERCOM_TEST_WORKSPACE_ID. See docs/guides/live-test.md.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from dinmo_pipeline.intercom.client import REGION_HOSTS
from dinmo_pipeline.text.wording import counted
from dinmo_pipeline_tests.live.api import Answer, Api, WorkspaceError
from dinmo_pipeline_tests.live.findings import report
from dinmo_pipeline_tests.live.run import confirmed_workspace, run

TOKEN, WORKSPACE = "INTERCOM_TEST_ACCESS_TOKEN", "INTERCOM_TEST_WORKSPACE_ID"
REGION, BASE_URL = "INTERCOM_TEST_REGION", "INTERCOM_TEST_BASE_URL"
AS_ASSUMED, DIFFERS, REFUSED = 0, 1, 2


def main(
    words: Sequence[str],
    environment: Mapping[str, str],
    *,
    sleep: Callable[[float], None] = time.sleep,
    say: Callable[[str], None] = print,
) -> int:
    """The exit code: 0 all as assumed or unsettled, 1 something differs or failed, 2 not started."""
    parser = argparse.ArgumentParser(prog="live-test", description=__doc__)
    parser.add_argument("--workspace", default=environment.get(WORKSPACE, ""), metavar="ID")
    workspace_id = parser.parse_args(words).workspace
    token, region = environment.get(TOKEN, "").strip(), environment.get(REGION, "us")
    if not token:
        return _refuse(say, f"{TOKEN} is not set. Set it to the access token of a test workspace.")
    if not workspace_id:
        return _refuse(
            say,
            "This test creates contacts and tags in a workspace and deletes them. Name the workspace"
            f" by its id, with --workspace ID or {WORKSPACE}. Intercom's pages have the id in their"
            " address, after /apps/.",
        )
    if region not in REGION_HOSTS:
        return _refuse(say, f"{REGION} is {region!r}. Choose from {', '.join(REGION_HOSTS)}.")
    base_url = environment.get(BASE_URL) or REGION_HOSTS[region]
    api = Api(base_url.rstrip("/"), token, sleep)
    try:
        try:
            me = confirmed_workspace(api, workspace_id)
        except WorkspaceError as error:
            return _refuse(say, str(error))
        return _run(api, me, say)
    finally:
        api.close()


def _run(api: Api, me: Answer, say: Callable[[str], None]) -> int:
    try:
        findings = run(api, me, say)
    except WorkspaceError as error:
        say(f"Stopped: {error}")
        return DIFFERS
    for line in report(findings):
        say(line)
    say(f"{counted(api.calls, 'call')}.")
    return DIFFERS if any(finding.holds is False for finding in findings) else AS_ASSUMED


def _refuse(say: Callable[[str], None], reason: str) -> int:
    say(reason)
    return REFUSED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
