"""Whole messages, as people see them."""

import pytest

from dinmo_pipeline_tests.config.reading import (
    DESTINATION,
    MODELS,
    SOURCE_AND_STATE,
    load,
    refusal,
    refusal_of_files,
)


def _rendered(text):
    return str(refusal(text))


def test_an_unknown_setting_and_a_wrong_word():
    """Sorted by place, with what is allowed and a suggestion."""
    text = SOURCE_AND_STATE + (
        "destinations:\n"
        "  main:\n"
        "    access_token: {env: INTERCOM_ACCESS_TOKEN}\n"
        "    regoin: eu\n"
        "    default_activation: {match_by: e-mail}\n"
    )
    assert _rendered(text) == (
        "project.yaml:6:5: destination 'main': There is no setting `regoin` here.\n"
        "  4 |   main:\n"
        "  5 |     access_token: {env: INTERCOM_ACCESS_TOKEN}\n"
        "  6 |     regoin: eu\n"
        "    |     ^\n"
        "  Allowed: access_token, region, base_url, api_version, rate_limit_share, alerts,"
        " default_activation\n"
        "  Perhaps you meant 'region'.\n"
        "\n"
        "project.yaml:7:36: destination 'main', default_activation: "
        "`match_by` must be one of the allowed values.\n"
        "  5 |     access_token: {env: INTERCOM_ACCESS_TOKEN}\n"
        "  6 |     regoin: eu\n"
        "  7 |     default_activation: {match_by: e-mail}\n"
        "    |                                    ^\n"
        "  Allowed: email, user_id\n"
        "  Perhaps you meant 'email'."
    )


def test_a_literal_secret():
    """The error does not repeat it, and shows the fix."""
    text = SOURCE_AND_STATE + "destinations:\n  main: {access_token: dG9rOnNlY3JldA==, region: uk}\n"
    assert _rendered(text) == (
        "project.yaml:4:24: destination 'main': "
        "`access_token` is a secret and must not be written in the declarations.\n"
        "  2 | state: {database: state.duckdb}\n"
        "  3 | destinations:\n"
        "  4 |   main: {access_token: ***, region: uk}\n"
        "    |                        ^\n"
        "  Write {env: INTERCOM_ACCESS_TOKEN} and set that variable where the pipeline runs.\n"
        "\n"
        "project.yaml:4:50: destination 'main': `region` must be one of the allowed values.\n"
        "  2 | state: {database: state.duckdb}\n"
        "  3 | destinations:\n"
        "  4 |   main: {access_token: ***, region: uk}\n"
        "    |                                     ^\n"
        "  Allowed: us, eu, au"
    )


def test_a_wrong_schedule_and_time_zone():
    """The field of the cron expression is named."""
    text = (
        SOURCE_AND_STATE
        + DESTINATION
        + (
            "segments: {s: {table: t}}\n"
            "activations:\n"
            '  s: {schedule: "61 * * * *", timezone: Europe/Pariss}\n'
        )
    )
    shown = (
        "  4 | segments: {s: {table: t}}\n"
        "  5 | activations:\n"
        '  6 |   s: {schedule: "61 * * * *", timezone: Europe/Pariss}\n'
    )
    assert _rendered(text) == (
        "project.yaml:6:17: activation 's': "
        "`schedule` has a wrong minute, '61': 0 to 59, as in 1,3-5 or */2.\n"
        f"{shown}"
        "    |                 ^\n"
        "  Allowed: manual, {after: upstream}, every 15 minutes, every 2 hours, daily at 07:30,"
        ' weekdays at 7:30, "30 7 * * mon-fri"\n'
        "\n"
        "project.yaml:6:41: activation 's': `timezone` is not a time zone: 'Europe/Pariss'.\n"
        f"{shown}"
        "    |                                         ^\n"
        "  Allowed: UTC, Europe/Paris, America/New_York\n"
        "  Perhaps you meant 'Europe/Paris'."
    )


def test_references_to_what_is_not_declared():
    """The nearest declared name is given."""
    text = (
        SOURCE_AND_STATE
        + DESTINATION
        + MODELS
        + (
            "segments:\n  vip: {model: customer, where: {field: x, is: set}}\n"
            "activations:\n  vips: {destination: main}\n"
        )
    )
    assert _rendered(text) == (
        "project.yaml:9:16: segment 'vip': There is no model 'customer'.\n"
        "  7 |   order_lines: {table: shop.order_lines}\n"
        "  8 | segments:\n"
        "  9 |   vip: {model: customer, where: {field: x, is: set}}\n"
        "    |                ^\n"
        "  Allowed: customers, orders, order_lines\n"
        "  Perhaps you meant 'customers'.\n"
        "\n"
        "project.yaml:11:9: activation 'vips': There is no segment 'vips'.\n"
        "   9 |   vip: {model: customer, where: {field: x, is: set}}\n"
        "  10 | activations:\n"
        "  11 |   vips: {destination: main}\n"
        "     |         ^\n"
        "  Allowed: vip\n"
        "  Perhaps you meant 'vip'."
    )


def test_the_caret_is_under_wide_characters_and_long_lines_are_cut():
    """As a terminal shows them."""
    text = SOURCE_AND_STATE + "segments: {s: {description: 東京é, tabel: t}}\n"
    lines = _rendered(text).split("\n")
    assert lines[3:5] == [
        "  3 | segments: {s: {description: 東京é, tabel: t}}",
        "    |               ^",
    ]
    assert lines[11] == "    |                                    ^"
    text = SOURCE_AND_STATE + f"segments: {{s: {{description: {'x' * 1000}, tabel: t}}}}\n"
    assert max(len(line) for line in _rendered(text).split("\n")) < 200


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (
            "source: {type: duckdb}\n",
            "`database` is missing. Type duckdb needs it.",
        ),
        ("source: {type: oracle}\n", "`type` must be one of the allowed values."),
        ("source: {type: csv, database: x}\n", "`database` cannot be used with the type csv."),
        ("source: {type: duckdb, database: md:x}\n", "`database` must be a local path."),
        (
            "source: {type: postgres, uri: {env: 1X}}\n",
            "`uri` must be {env: NAME}, NAME of letters, digits and '_'.",
        ),
        ("source: {type: postgres, uri: }\n", "`uri` must name an environment variable."),
        ("source: duckdb\n", "This must be a mapping of settings, not text."),
        (
            "state: {database: Dinmo.duckdb}\n",
            "`database` must not be named dinmo, which is also the name of the schema inside.",
        ),
        ("state: {}\n", "`database` is missing. Set it, or `folder` for a file per destination."),
        (
            "state: {database: a.duckdb, folder: b}\n",
            "`database` and `folder` exclude each other. Set one of them.",
        ),
        (
            "state: {database: ':memory:'}\n",
            "`database` must be a file, since the state must outlive the process.",
        ),
        (
            "state: {database: 'md:x?motherduck_token=abc'}\n",
            (
                "`database` cannot be in MotherDuck, which lets several programs write at a time: the"
                " pipeline relies on one writer, so that nobody is tagged by two runs at once. Use a"
                " local file."
            ),
        ),
        ("state: {database: data/}\n", "`database` must be a file, not a folder."),
        (
            "state: {database: ./x/../warehouse.duckdb}\n",
            "The state cannot be in the source's file, which is opened read-only.",
        ),
        (
            "destinations: {a-b: {access_token: {env: X}}}\n",
            "A key must start with a letter and contain only letters, digits and '_'.",
        ),
        (
            f"segments: {{{'a' * 61}: {{table: t}}}}\n",
            "A key must be at most 60 characters long; this one has 61.",
        ),
        ("segments: [a]\n", "This must be a mapping, not a list."),
        ("segments: {s: {}}\n", "The segment does not define its members."),
        (
            "segments: {s: {table: t, sql: select 1}}\n",
            "`sql` and `table` both define the members. Keep one.",
        ),
        (
            "segments: {s: {where: {field: a, is: set}}}\n",
            "`where` needs `model`, the rows to choose from.",
        ),
        (
            "models: {m: }\nsegments: {s: {table: t, model: m}}\n",
            "`model` can only be used with `where`, not with `table`.",
        ),
        ("segments: {s: {sql: ' '}}\n", "`sql` must not be empty."),
        (
            "segments: {s: {table: a.b.c.d}}\n",
            "`table` must be a table, schema.table, or database.schema.table.",
        ),
        ("segments: {s: {table: t, name: 2024}}\n", "`name` must be text, not a number."),
        (
            'segments: {s: {table: t, name: "a\\nb"}}\n',
            "`name` must be a single line without control characters.",
        ),
        (
            f"segments: {{s: {{table: t, name: {'n' * 192}}}}}\n",
            "`name` must be at most 191 characters long; this one has 192.",
        ),
        ("segments: {s: {table: t, upstream: raw}}\n", "`upstream` must be a list, not text."),
        (
            "segments: {s: {table: t, upstream: [a/]}}\n",
            (
                "`upstream` contains a value that must be an asset key with '/' between its parts,"
                " as in raw/orders."
            ),
        ),
        ("models: {m: {relations: {r: {model: x, join: y}}}}\n", "There is no model 'x'."),
        (
            "models: {m: {relations: {r: {model: m, join: {}}}}}\n",
            "`join` must name at least one pair of columns: {ours: theirs}.",
        ),
        ("segment: {}\n", "`segment` is not a known section."),
    ],
)
def test_one_sentence_for_each_mistake(declared, message):
    """One declaration at a time, with a sound source and state beside it."""
    rest = [line for line in SOURCE_AND_STATE.splitlines() if line.split(":")[0] not in declared[:6]]
    error = refusal("\n".join([*rest, declared]))
    assert [problem.message for problem in error.problems] == [message]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("base_url: ftp://x", "`base_url` must be an http or https address."),
        ("base_url: 'https://x:99999'", "`base_url` must be an http or https address."),
        (
            "base_url: http://intercom.example",
            "`base_url` must use https, except for this machine.",
        ),
        (
            "base_url: https://me:pass@x",
            "`base_url` must be a plain address without user, password, query or fragment.",
        ),
        (
            "api_version: 2.9",
            "`api_version` must be 2.13 or later; earlier versions lack what the pipeline needs.",
        ),
        ("api_version: v2", "`api_version` must be a version such as 2.16."),
        ("api_version: [2.16]", "`api_version` must be a version such as 2.16, not a list."),
        ("rate_limit_share: 0", "`rate_limit_share` must be greater than 0 and at most 1."),
        ("rate_limit_share: 80", "`rate_limit_share` must be greater than 0 and at most 1."),
        ("rate_limit_share: high", "`rate_limit_share` must be a number, not text."),
        ("default_activation: {name: x}", "There is no setting `name` here."),
        (
            "default_activation: {guards: {max_removed_share: 2}}",
            "`max_removed_share` must be from 0 to 1.",
        ),
        (
            "default_activation: {reconcile: {schedule: {after: upstream}}}",
            "`schedule` must be text, not a mapping.",
        ),
        (
            "default_activation: {reconcile: {schedule: '@yearly'}}",
            (
                "`schedule` must be `manual`, words such as `daily at 07:30`, or five cron fields: minute,"
                " hour, day of the month, month, day of the week."
            ),
        ),
        (
            "default_activation: {reconcile: '@daily'}",
            "This must be a mapping of settings, not text.",
        ),
        ("default_activation: {enabled: yes}", "`enabled` must be true or false, not text."),
    ],
)
def test_one_sentence_for_each_mistake_in_a_destination(setting, message):
    """Beside a sound token."""
    text = SOURCE_AND_STATE + f"destinations: {{d: {{access_token: {{env: X}}, {setting}}}}}\n"
    assert [problem.message for problem in refusal(text).problems] == [message]


@pytest.mark.parametrize(
    "url", ["http://localhost:1", "http://127.0.0.1:8055/", "http://[::1]:5", "https://x.example"]
)
def test_addresses_that_keep_the_token_safe_are_accepted(url):
    """Clear text stays on this machine."""
    settings = f"{{access_token: {{env: X}}, base_url: '{url}', api_version: 2.20}}"
    destination = load(SOURCE_AND_STATE + f"destinations: {{d: {settings}}}\n").destinations["d"]
    assert destination.base_url == url.rstrip("/")
    assert destination.api_version == "2.20"


def test_a_duplicate_across_files_names_both():
    """With the place of each."""
    files = {
        "a.yaml": SOURCE_AND_STATE + "models: {m: }\n",
        "b.yaml": "models:\n  m: {table: x}\n",
    }
    assert str(refusal_of_files(files)) == (
        "b.yaml:2:3: model 'm': This is declared twice. The first is at a.yaml:3:10.\n"
        "  1 | models:\n"
        "  2 |   m: {table: x}\n"
        "    |   ^\n"
        "  Delete or rename one."
    )
