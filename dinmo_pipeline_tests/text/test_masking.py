"""Identifiers, credentials and quoted values stay out of what people see."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dinmo_pipeline.text.masking import (
    credential_spans,
    mask_credentials,
    mask_emails,
    mask_identifier,
    mask_quoted,
)


@pytest.mark.parametrize(
    ("identifier", "shown"),
    [
        ("ana@example.com", "a***@e***.com"),
        ("a@b.com", "***@***.com"),
        ("ana@localhost", "a***@l***"),
        ("C00421", "C0***1"),
        ("1234", "1***"),
        ("123", "***"),
        ("", "***"),
        ("ab\x1b[31mcdef", "ab***f"),
    ],
)
def test_identifiers_are_mask_identifier(identifier, shown):
    """Enough to recognise one, never the whole."""
    assert mask_identifier(identifier) == shown


@given(st.text(min_size=1) | st.emails())
def test_no_identifier_is_shown_whole(identifier):
    """Nor anything that steers a terminal."""
    assert identifier not in mask_identifier(identifier) or set(identifier) <= {"*", "@"}
    assert mask_identifier(identifier).isprintable()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://ann:s3cret@host/shop", "postgresql://***@host/shop"),
        ("md:shop?motherduck_TOKEN=s3cret&x=1", "md:shop?motherduck_TOKEN=***&x=1"),
        ("token=http://ann:s3cret@host", "token=***"),
        ("no secret here", "no secret here"),
    ],
)
def test_credentials_are_masked(text, shown):
    """In a URL and in its query; their places are those that `credential_spans` gives."""
    assert mask_credentials(text) == shown
    assert any(True for _ in credential_spans(text)) == ("***" in shown)


def test_values_that_an_error_quotes_are_masked():
    """In either kind of quotes."""
    assert mask_quoted("""Could not convert 'ann' to "INT32\"""") == """Could not convert '***' to "***\""""


def test_email_addresses_are_masked():
    """Wherever they stand."""
    assert mask_emails("user (ann@example.com), <bob@x.org>") == "user (***@***), <***@***>"
