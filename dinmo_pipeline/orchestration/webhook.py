"""A message to a chat, by the incoming webhook that Slack, Mattermost and Google Chat give."""

import requests

_SECONDS = 10.0
_SCHEMES = ("https://", "http://")


class AlertError(Exception):
    """A message could not be delivered; the sentence has no part of the URL, which is a secret."""


def post_text(url: str, text: str, *, url_name: str) -> None:
    """Post `{"text": …}`, the one form that all of them take; `url_name` names the URL in errors.

    Raises:
        AlertError: it was not taken, or may not have been.
    """
    if not url.startswith(_SCHEMES):
        raise AlertError(f"{url_name} is not set to a URL (https://…), so nobody can be told.")
    try:
        # A redirect would make a GET of it, and lose the text.
        answer = requests.post(url, json={"text": text}, timeout=_SECONDS, allow_redirects=False)
    except (requests.RequestException, ValueError) as error:
        # The error's own text has the URL.
        raise AlertError(
            f"{url_name} leads to nobody who answers ({type(error).__name__})."
        ) from None
    if not 200 <= answer.status_code < 300:  # noqa: PLR2004  # any success
        raise AlertError(f"{url_name} leads to somebody who answers {answer.status_code}.")
