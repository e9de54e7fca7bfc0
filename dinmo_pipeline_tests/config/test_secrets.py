"""A secret that was written in the declarations by mistake is never shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dinmo_pipeline_tests.config.reading import SOURCE_AND_STATE, refusal

_SECRET = "dG9rOmFiY2RlZg"  # what Intercom's tokens look like


@pytest.mark.parametrize(
    "declared",
    [
        "destinations: {d: {access_token: SECRET}}",
        "destinations: {d: {access_token: {env: SECRET=}}}",
        "destinations: {d: {access_token: {env: SECRET, x: SECRET}}}",
        "destinations: {d: {access_token: {value: SECRET}}}",
        "destinations: {d: {access_token: [SECRET]}}",
        "destinations: {d: {acces_token: SECRET}}",
        "destinations: {d: {token: SECRET}}",
        "destinations: {d: {bearer: {x: [SECRET]}}}",
        "destinations: {d: {access_token: {env: X}, access_token: SECRET}}",
        "destinations:\n  d:\n    access_token: >\n      SECRET\n    region: uk",
        "destinations:\n  d:\n    region: uk # token: SECRET",
        "destinations: {d: {access_token: {env: X}, base_url: 'https://SECRET:SECRET@api'}}",
        "destinations: {d: {access_token: {env: X}, base_url: 'https://api?token=SECRET'}}",
        "access_token: SECRET",
        "intercom: {token: SECRET}",
        "segments: {s: {table: t, token: SECRET, x: y}}",
        "x: &t SECRET\ndestinations: {d: {access_token: *t}}",
        "destinations: {d: {access_token: *SECRET}}",
        "destinations: {d: {access_token: !SECRET x}}",
        "destinations: {d: {access_token: 'SECRET}}",
        "destinations: {d: {access_token: SECRET]}}",
        "destinations:\n  d:\n    access_token: @SECRET",
        "destinations:\n  d:\n    access_token: |\n      SECRET\n    region: [",
        "destinations:\n  d:\n    access_token:\n      SECRET\n    region: [",
        "destinations:\n  d:\n    access_token: SECRET: x",
        '{"destinations": {"d": {"access_token": "SECRET", "region": }}',
        "source: {type: postgres, uri: 'postgres://u:SECRET@h/db'}",
        "source: {type: postgres, url: 'postgres://u:SECRET@h/db'}",
        "source: {type: postgres, password: SECRET}",
        "alerts: {webhook: 'https://hooks.example.com/SECRET'}",
        "alerts: {url: 'https://hooks.example.com/SECRET'}",
        "alerts: https://hooks.example.com/SECRET",
        "alerts: {webhook: 'https://hooks.example.com/SECRET",
        "alerts: [https://hooks.example.com/SECRET",
        "source: postgres://u:SECRET@h/db",
        "source: {type: duckdb, database: 'postgres://u:SECRET@h/db'}",
        "state: {database: 'md:x?motherduck_token=SECRET'}",
    ],
)
def test_it_is_not_in_the_message_nor_in_the_problems(declared):
    """Neither rendered, nor as JSON, nor in a log of the error."""
    error = refusal(declared.replace("SECRET", _SECRET) + "\n")
    seen = [str(error), repr(error)]
    seen += [repr((problem, problem.excerpt)) for problem in error.problems]
    assert [text for text in seen if _SECRET in text] == []


@given(
    st.sampled_from(["access_token", "uri"]),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8).map(
        lambda text: text.replace("'", "")
    ),
    st.sampled_from(["'{}'", "{{x: '{}'}}", "['{}']", "\n      '{}'"]),
    st.sampled_from(["", "]", "region: uk\n", "\t"]),
)
def test_no_secret_is_shown_whatever_else_is_wrong(key, secret, form, rest):
    """Also in a file that is not YAML."""
    secret = f"SECRET{secret}"
    text = f"{SOURCE_AND_STATE}destinations:\n  d:\n    {key}: {form.format(secret)}\n    {rest}\n"
    error = refusal(text)
    assert secret not in str(error)
    assert secret not in repr(error.problems)


def test_the_name_of_a_variable_is_not_secret():
    """It helps to find the line."""
    text = SOURCE_AND_STATE + "destinations: {d: {access_token: {env: MY_TOKEN}, region: uk}}\n"
    assert "{env: MY_TOKEN}" in str(refusal(text))
