"""Messages to a chat through an incoming webhook of Slack, Mattermost or Google Chat."""

import requests

_TIMEOUT_SECONDS = 10.0
_SCHEMES = ("https://", "http://")


class AlertError(Exception):
    """A message was not delivered. The error never shows the URL, which is a secret."""


def post_text(url: str, text: str, *, variable: str) -> None:
    """Post `{"text": …}`, the one form that all of them accept; `variable` names the URL in errors.

    Raises:
        AlertError: the message was not accepted, or may not have been.
    """
    if not url.startswith(_SCHEMES):
        raise AlertError(f"{variable} is not set to a URL (https://…), so alerts go nowhere.")
    try:
        # A redirect would turn it into a GET, without the text.
        answer = requests.post(url, json={"text": text}, timeout=_TIMEOUT_SECONDS, allow_redirects=False)
    except (requests.RequestException, ValueError) as error:
        # The error's own text contains the URL.
        raise AlertError(f"No answer from the webhook in {variable} ({type(error).__name__}).") from None
    if not 200 <= answer.status_code < 300:  # noqa: PLR2004  # any success
        raise AlertError(f"The webhook in {variable} answered with status {answer.status_code}.")
