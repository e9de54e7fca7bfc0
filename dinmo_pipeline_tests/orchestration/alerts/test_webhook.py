"""A message is delivered, or it is told why not: never with the URL, which is a secret."""

import traceback

import pytest

from dinmo_pipeline.orchestration.alerts.errors import AlertError
from dinmo_pipeline.orchestration.alerts.webhook import post_text
from dinmo_pipeline_tests.chat import chat_of_a_test


def test_the_text_arrives():
    """As the one field that every chat takes."""
    with chat_of_a_test() as chat:
        post_text(chat.url, "Ça va: <ok> & 100 %", variable="ALERTS")
        assert chat.posted == [{"text": "Ça va: <ok> & 100 %"}]


@pytest.mark.parametrize("status", [302, 404, 500])
def test_an_answer_other_than_success_is_an_error(status):
    """A redirect is one too: it would turn the message into a GET."""
    with chat_of_a_test() as chat:
        chat.status = status
        with pytest.raises(AlertError) as raised:
            post_text(chat.url, "x", variable="ALERTS")
    assert str(raised.value) == f"The webhook in ALERTS answered with status {status}."


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "ALERTS is not set to a URL (https://…), so alerts go nowhere."),
        ("the-secret", "ALERTS is not set to a URL (https://…), so alerts go nowhere."),
        ("file:///the-secret", "ALERTS is not set to a URL (https://…), so alerts go nowhere."),
        (
            "http://127.0.0.1:1/the-secret",
            "No answer from the webhook in ALERTS (ConnectionError).",
        ),
        ("http://[the-secret", "No answer from the webhook in ALERTS (InvalidURL)."),
    ],
)
def test_an_unusable_url_is_an_error(url, message):
    """The URL is shown nowhere, not even in the stack."""
    with pytest.raises(AlertError) as raised:
        post_text(url, "x", variable="ALERTS")
    assert str(raised.value) == message
    shown = "".join(traceback.format_exception_only(raised.value))
    assert raised.value.__suppress_context__ or raised.value.__context__ is None
    assert "the-secret" not in shown
