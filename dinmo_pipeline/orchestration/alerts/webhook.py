"""Messages to a chat through an incoming webhook of Slack, Mattermost or Google Chat; and heartbeats."""

from typing import Any

import requests

from dinmo_pipeline.orchestration.alerts.errors import AlertError

_TIMEOUT_SECONDS = 10.0
_SCHEMES = ("https://", "http://")


def post_text(url: str, text: str, *, variable: str) -> None:
    """Post `{"text": …}`, the one form that all of them accept; `variable` names the URL in errors.

    Raises:
        AlertError: the message was not accepted, or may not have been.
    """
    if not url.startswith(_SCHEMES):
        raise AlertError(f"{variable} is not set to a URL (https://…), so alerts go nowhere.")
    # A redirect would turn it into a GET, without the text.
    _call("POST", url, f"webhook in {variable}", json={"text": text}, allow_redirects=False)


def beat(url: str, *, variable: str) -> None:
    """Call the URL of a heartbeat; `variable` names it in errors.

    Raises:
        AlertError: nobody answered, or not with success.
    """
    if not url.startswith(_SCHEMES):
        raise AlertError(f"{variable} is not set to a URL (https://…), so nobody hears the heartbeat.")
    _call("GET", url, f"heartbeat in {variable}")


def _call(method: str, url: str, name: str, **arguments: Any) -> None:
    try:
        answer = requests.request(method, url, timeout=_TIMEOUT_SECONDS, **arguments)
    except (requests.RequestException, ValueError) as error:
        # The error's own text contains the URL.
        raise AlertError(f"No answer from the {name} ({type(error).__name__}).") from None
    if not 200 <= answer.status_code < 300:  # noqa: PLR2004  # any success
        raise AlertError(f"The {name} answered with status {answer.status_code}.")
