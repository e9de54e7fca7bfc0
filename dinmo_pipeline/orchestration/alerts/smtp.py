"""Messages by email, through an SMTP server."""

import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Literal

from dinmo_pipeline.orchestration.alerts.errors import AlertError

# Of each step: to connect, to encrypt, to log in, to hand over the message.
_TIMEOUT_SECONDS = 10.0
_MAX_SUBJECT = 120


def send_email(
    message: EmailMessage,
    *,
    host: str,
    port: int,
    security: Literal["starttls", "tls", "none"],
    user: str = "",
    password: str = "",
) -> None:
    """Send a message, logging in if there is a `user`. The server's certificate must be valid.

    If the server accepts only some of the recipients, the message counts as delivered: sent again, it would
    reach the others twice.

    Raises:
        AlertError: the server did not take the message, or may not have.
    """
    where = f"the SMTP server {host}:{port}"
    try:
        with _connected(host, port, security) as server:
            if user:
                server.login(user, password)
            server.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        codes = ", ".join(sorted({str(code) for code, _text in error.recipients.values()}))
        raise AlertError(f"{_capitalised(where)} refused every recipient ({codes}).") from None
    except smtplib.SMTPAuthenticationError as error:
        raise AlertError(f"{_capitalised(where)} refused the login ({error.smtp_code}).") from None
    except smtplib.SMTPResponseException as error:
        raise AlertError(f"{_capitalised(where)} answered with {error.smtp_code}.") from None
    except (smtplib.SMTPException, OSError, UnicodeError) as error:
        # The server's words may quote what it was sent.
        raise AlertError(f"No message was sent through {where} ({_reason(error)}).") from None


def email(title: str, text: str, *, sender: str, recipients: list[str]) -> EmailMessage:
    """A message in plain text; a title of several lines becomes one line."""
    message = EmailMessage()
    line = " ".join(title.split())
    message["Subject"] = line if len(line) <= _MAX_SUBJECT else f"{line[: _MAX_SUBJECT - 1]}…"
    message["From"] = sender
    message["To"] = ", ".join(recipients)
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"  # so that no out-of-office reply comes back
    message.set_content(text)
    return message


def _connected(host: str, port: int, security: Literal["starttls", "tls", "none"]) -> smtplib.SMTP:
    own_name = socket.gethostname()  # by default smtplib asks the name service, which may take long
    if security == "tls":
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(host, port, own_name, timeout=_TIMEOUT_SECONDS, context=context)
    server = smtplib.SMTP(host, port, own_name, timeout=_TIMEOUT_SECONDS)
    if security == "starttls":
        try:
            server.starttls(context=ssl.create_default_context())
        except BaseException:
            server.close()
            raise
    return server


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message}"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return "it does not offer what `security` or `user` asks for"
    if isinstance(error, UnicodeError):  # its text may hold the password
        return "`host` is not the name of a server, or `user` or the password is not plain ASCII"
    return type(error).__name__


def _capitalised(text: str) -> str:
    return text[0].upper() + text[1:]
