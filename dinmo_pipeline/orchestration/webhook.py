"""A message to a chat, through the incoming webhook that Slack, Mattermost and Google Chat provide."""

import requests

TIMEOUT_SECONDS = 10.0
_SCHEMES = ("https://", "http://")


class AlertError(Exception):
    """A message could not be delivered. The sentence contains no part of the URL, which is a secret."""


def post_text(url: str, text: str, *, url_name: str) -> None:
    """Post `{"text": …}`, the one form that all of them accept; `url_name` names the URL in errors.

    Raises:
        AlertError: it was not accepted, or may not have been.
    """
    if not url.startswith(_SCHEMES):
        raise AlertError(f"{url_name} is not set to a URL (https://…), so alerts go nowhere.")
    try:
        # A redirect would turn it into a GET and lose the text.
        answer = requests.post(
            url, json={"text": text}, timeout=TIMEOUT_SECONDS, allow_redirects=False
        )
    except (requests.RequestException, ValueError) as error:
        # The error's own text contains the URL.
        raise AlertError(
            f"{url_name}: no answer from the webhook ({type(error).__name__})."
        ) from None
    if not 200 <= answer.status_code < 300:  # noqa: PLR2004  # any success
        raise AlertError(f"{url_name}: the webhook refused the message with {answer.status_code}.")
