"""A message is delivered, or it is told why not: never with the URL, which is a secret."""

import traceback

import pytest

from dinmo_pipeline.orchestration.webhook import AlertError, post_text
from dinmo_pipeline_tests.chat import chat_of_a_test


def test_the_text_arrives():
    """As the one field that every chat takes."""
    with chat_of_a_test() as chat:
        post_text(chat.url, "Ça va: <ok> & 100 %", url_name="ALERTS")
        assert chat.posted == [{"text": "Ça va: <ok> & 100 %"}]


@pytest.mark.parametrize("status", [302, 404, 500])
def test_an_answer_that_is_no_success(status):
    """A redirect is none either: it would make a GET of the message."""
    with chat_of_a_test() as chat:
        chat.status = status
        with pytest.raises(AlertError) as raised:
            post_text(chat.url, "x", url_name="ALERTS")
    assert str(raised.value) == f"ALERTS leads to somebody who answers {status}."


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "is not set to a URL (https://…), so nobody can be told."),
        ("the-secret", "is not set to a URL (https://…), so nobody can be told."),
        ("file:///the-secret", "is not set to a URL (https://…), so nobody can be told."),
        ("http://127.0.0.1:1/the-secret", "leads to nobody who answers (ConnectionError)."),
        ("http://[the-secret", "leads to nobody who answers (InvalidURL)."),
    ],
)
def test_a_url_that_is_none_or_leads_nowhere(url, message):
    """Also where the stack of the error is shown."""
    with pytest.raises(AlertError) as raised:
        post_text(url, "x", url_name="ALERTS")
    assert str(raised.value) == f"ALERTS {message}"
    shown = "".join(traceback.format_exception_only(raised.value))
    assert raised.value.__suppress_context__ or raised.value.__context__ is None
    assert "the-secret" not in shown
