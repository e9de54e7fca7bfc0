"""Messages by email, sent to a real SMTP server on this machine."""

import json

import pytest

from dinmo_pipeline.config import ConfigError
from dinmo_pipeline.orchestration.alerts.errors import AlertError
from dinmo_pipeline.orchestration.alerts.smtp import email, send_email
from dinmo_pipeline_tests.config.reading import DESTINATION, SOURCE_AND_STATE, load
from dinmo_pipeline_tests.mailbox import PASSWORD, USER, mailbox_of_a_test

TO = ["crm@example.com", "data@example.com"]


def message(title="A title", text="A text"):
    return email(title, text, sender="dinmo@example.com", recipients=TO)


@pytest.fixture
def mailbox(tmp_path, monkeypatch):
    """A server that wants encryption and a login, and whose certificate this machine trusts."""
    with mailbox_of_a_test(tmp_path) as mailbox:
        monkeypatch.setenv("SSL_CERT_FILE", str(mailbox.certificate))
        yield mailbox


def send(mailbox, mail, **values):
    options = {"host": "127.0.0.1", "security": "starttls", "user": USER, "password": PASSWORD} | values
    send_email(mail, port=mailbox.port, **options)


def test_a_message_arrives_encrypted_after_a_login(mailbox):
    """With all that a mail needs, and letters beyond ASCII."""
    send(mailbox, message("VIP: held", "Ça va: <ok> & 100 %\n    Run: https://x.example.com/runs/1"))
    (mail,) = mailbox.take()
    assert mail["Subject"] == "VIP: held"
    assert (mail["From"], mail["To"]) == ("dinmo@example.com", ", ".join(TO))
    assert mail["Date"]
    assert mail["Message-ID"].endswith("@example.com>")
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content() == "Ça va: <ok> & 100 %\n    Run: https://x.example.com/runs/1\n"
    assert mailbox.recipients == TO


def test_a_title_cannot_add_a_header(mailbox):
    """A name with a line break in it stays in the subject."""
    send(mailbox, message("VIP\r\nBcc: eve@example.com\r\n\r\nHello " + "long " * 40))
    (mail,) = mailbox.take()
    assert mail["Bcc"] is None
    assert mail["Subject"].startswith("VIP Bcc: eve@example.com Hello long")
    assert len(mail["Subject"]) == 120
    assert mailbox.recipients == TO


def test_one_recipient_that_is_refused_does_not_keep_it_from_the_others(mailbox):
    """Nor is it sent to them again. Without any it is an error."""
    mailbox.refused = {TO[0]}
    send(mailbox, message())
    assert mailbox.recipients == TO[1:]
    mailbox.refused = set(TO)
    with pytest.raises(AlertError, match=r"refused every recipient \(550\)\.$"):
        send(mailbox, message())


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"password": "wrong"}, r"refused the login \(535\)"),
        ({"user": ""}, r"answered with 530"),
        ({"security": "none"}, r"it does not offer what"),
        ({"security": "tls"}, r"No message was sent"),
    ],
)
def test_what_the_server_refuses_is_an_error(mailbox, values, error):
    """It names the server, and no password."""
    with pytest.raises(AlertError, match=error) as raised:
        send(mailbox, message(), **values)
    assert f"127.0.0.1:{mailbox.port}" in str(raised.value)
    assert PASSWORD not in str(raised.value)
    assert mailbox.take() == []


@pytest.mark.parametrize(
    "values", [{"password": "s\u00e9same"}, {"user": "dinm\u00f6"}, {"host": "smtp..example.com"}]
)
def test_what_smtp_cannot_express_is_an_error(mailbox, values):
    """The other channels have the message by then, and an unknown error would repeat it there each minute."""
    with pytest.raises(AlertError, match=r"`host` is not the name of a server, or `user`") as raised:
        send(mailbox, message(), **values)
    assert "s\u00e9same" not in str(raised.value)


@pytest.mark.parametrize("address", ["crm@[example", "crm@exa(mple", "c\\rm@example.com", "crm"])
def test_an_address_that_nobody_can_write_to_is_refused_as_declared(address):
    """Before a message to it fails at each tick."""
    alerts = {"email": {"host": "smtp.example.com", "from": address, "to": ["ops@example.com"]}}
    with pytest.raises(ConfigError, match="`from` must be an email address"):
        load(f"{SOURCE_AND_STATE}{DESTINATION}alerts: {json.dumps(alerts)}\n")


def test_a_full_mailbox_is_an_error(mailbox):
    """The next tick tries again."""
    mailbox.is_full = True
    with pytest.raises(AlertError, match=r"answered with 452"):
        send(mailbox, message())


def test_a_certificate_that_nobody_vouches_for_is_refused(mailbox, monkeypatch):
    """Otherwise the password would go to whoever answers."""
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(AlertError, match="its certificate is not valid"):
        send(mailbox, message())


def test_a_server_that_is_not_there_is_an_error():
    """Nobody listens on port 1."""
    with pytest.raises(AlertError, match=r"127\.0\.0\.1:1 \(ConnectionRefusedError\)"):
        send_email(message(), host="127.0.0.1", port=1, security="none")
