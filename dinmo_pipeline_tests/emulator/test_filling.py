"""Filling the emulator: a CSV file, the declared source, and the form on its page."""

import os
import subprocess
import sys
from contextlib import contextmanager

import pytest
import requests

from dinmo_pipeline.cli.development.ports import free_port
from dinmo_pipeline.emulator import ContactsFileError, EmulatorSettings, read_contacts, running, seed_of
from dinmo_pipeline.emulator.workspace.records import NewContact
from dinmo_pipeline_tests.company import TOKEN


@contextmanager
def emulator_process(*options, cwd, environment=None):
    """`dinmo emulator` on a free port; its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dinmo_pipeline.cli", "emulator", "--port", "0", *options],
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process.stdout.readline().strip().removeprefix("Emulated Intercom at ")
        finally:
            process.terminate()


def contacts(url):
    """How many contacts there are, and the emails on the first page."""
    stats = requests.get(f"{url}/_emulator/stats", timeout=30).json()
    return stats["contacts"], requests.get(url, timeout=30).text


def test_a_file_is_read_whatever_its_header_is_called(tmp_path):
    """As tools export it: a byte order mark, semicolons, quotes, further columns, empty lines."""
    file = tmp_path / "people.csv"
    file.write_bytes(
        "\ufeffE-Mail;User ID;Full Name;Plan;Created;Tags;Role\r\n"
        'ana@example.com;u1;"Ana; the first";pro;2026-03-01;VIP|Beta;\r\n'
        ";u2;Ben;;1767225600;;user\r\n"
        "\r\n"
        "cleo@example.com;;;;2026-03-01T12:00:00+02:00;;Lead\r\n".encode()
    )
    assert read_contacts(file) == [
        NewContact(
            "ana@example.com", "u1", "user", "Ana; the first", created_at=1772323200, tags=("VIP", "Beta")
        ),
        NewContact(None, "u2", "user", "Ben", created_at=1767225600),
        NewContact("cleo@example.com", None, "lead", created_at=1772359200),
    ]


def test_every_wrong_row_is_reported_with_its_line_and_without_its_values(tmp_path):
    """A quoted line break counts, as in an editor."""
    file = tmp_path / "people.csv"
    file.write_text(
        "email,user_id,name,role,created_at\n"
        'ana@example.com,u1,"two\nlines",user,\n'
        "secret-person,u2,,user,\n"
        ",,Nobody,,\n"
        "ben@example.com,u3,,admin,yesterday\n"
        "cleo@example.com,u1,,,\n"
        "short@example.com\n"
    )
    with pytest.raises(ContactsFileError) as refused:
        read_contacts(file)
    assert str(refused.value) == "\n".join(
        f"{file}:{problem}"
        for problem in (
            "4: The email has no @.",
            "5: This row has neither an email nor an external id.",
            "6: The role must be user or lead.",
            "6: The time of creation must be Unix seconds, or a date or time such as 2026-03-01 12:30.",
            "7: This external id is also on line 2.",
            "8: This row has 1 value, the header 5.",
        )
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"name,plan\nAna,pro\n", ":1: There is no column of emails or external ids"),
        (b"email,mail\na@b.example,c@d.example\n", ":1: Several columns are the email"),
        (b"email\nana\xff@example.com\n", "it is not UTF-8"),
        (b'email\n"ana@example.com\n', ":2: unexpected end of data"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path, content, problem):
    """With its path, and its line where there is one."""
    file = tmp_path / "people.csv"
    file.write_bytes(content)
    with pytest.raises(ContactsFileError) as refused:
        read_contacts(file)
    assert str(refused.value).startswith(str(file))
    assert problem in str(refused.value)


def test_the_command_starts_with_the_contacts_of_a_file(tmp_path, dinmo):
    """A wrong file is an error before it listens."""
    file = tmp_path / "people.csv"
    file.write_text("email\nana@example.com\nben@example.com\n")
    with emulator_process("--contacts", str(file), cwd=tmp_path) as url:
        count, page = contacts(url)
    assert count == 2
    assert "ana@example.com" in page
    file.write_text("email\nana\n")
    refused = dinmo("emulator", "--contacts", str(file))
    assert (refused.code, refused.err) == (1, f"Error: {file}:2: The email has no @.\n")


def test_the_command_starts_with_a_share_of_the_declared_members(company):
    """Always the same ones; none twice, none blank."""
    company.activate("ids", match_by="user_id", column="customer_id")
    company.members([f"person{n}@example.com" for n in range(200)] + ["PERSON1@example.com", " ", None])
    company.members([(None, f"u{n}") for n in range(100)], "ids")
    environment = {"DINMO_CONFIG": str(company.declarations)}
    counts = []
    for share in ("1", "0.5", "0.5"):
        options = ("--contacts-from-source", share)
        with emulator_process(*options, cwd=company.folder, environment=environment) as url:
            counts.append(contacts(url)[0])
    assert counts[0] == 300
    assert 100 <= counts[1] <= 200
    assert counts[1] == counts[2]


def test_other_contacts_have_other_ids():
    """A pipeline that knows the ids of an earlier start finds nobody else under them."""
    before = [NewContact(email="ana@example.com"), NewContact(email="ben@example.com")]
    after = [NewContact(email="ben@example.com")]
    ids = []
    for people in (before, after):
        with running(EmulatorSettings(seed=seed_of(people))) as server:
            ids.append(set(server.store.create_many(people)))
    assert not ids[0] & ids[1]
    assert seed_of(before) == seed_of(list(before))


def test_a_restart_is_noticed_by_the_next_sync(company, dinmo):
    """The contacts are the same, their tags are gone: everybody is tagged again, by a tag of another id."""
    company.members(["ana@example.com", "ben@example.com"])
    environment = {"DINMO_CONFIG": str(company.declarations)}
    port = free_port()
    company.declared["destinations"]["main"]["base_url"] = f"http://127.0.0.1:{port}"
    for _ in range(2):
        options = ("--contacts-from-source", "1", "--token", TOKEN, "--port", str(port))
        with emulator_process(*options, cwd=company.folder, environment=environment) as url:
            assert dinmo("sync", "vip").code == 0
            tagged = requests.get(f"{url}/_emulator/tags/VIP/contacts", timeout=30).json()["contacts"]
        assert {contact["email"] for contact in tagged} == {"ana@example.com", "ben@example.com"}


def test_a_person_can_add_a_contact_on_the_page():
    """What is missing or taken is said on the page, which keeps what was typed."""
    with running() as server:
        form = {"email": " ana@example.com ", "external_id": "u1", "name": "Ana <3", "role": "user"}
        added = requests.post(server.base_url, data=form, timeout=30)
        assert added.status_code == 200
        assert "ana@example.com" in added.text
        assert "Ana &lt;3" in added.text
        (contact,) = server.store.live.live_from(0)
        assert (contact.email, contact.external_id, contact.role) == ("ana@example.com", "u1", "user")
        taken = requests.post(
            server.base_url, data={"email": '"b@example.com', "external_id": "u1"}, timeout=30
        )
        assert (taken.status_code, taken.history) == (400, [])
        assert "Another contact has this external id." in taken.text
        assert 'value="&quot;b@example.com"' in taken.text
        nobody = requests.post(server.base_url, data={"name": "Nobody"}, timeout=30)
        assert "A contact needs an email or an external id." in nobody.text
        assert server.store.live.live_count == 1
