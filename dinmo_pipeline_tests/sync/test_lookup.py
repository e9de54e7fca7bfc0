"""Looking members up: the cheapest way, exactly counted, and what is stored of it."""

import logging

import pytest

from dinmo_pipeline.emulator import NewContact
from dinmo_pipeline.intercom.errors import AccessError, UnavailableError
from dinmo_pipeline.sync.lookup import look_again, look_for_unknown, most_lookup_calls
from dinmo_pipeline.sync.session import progress_listener
from dinmo_pipeline_tests.sync.syncing import compare, declare_members, rows, session_on

LIST, SEARCH = "GET /contacts", "POST /contacts/search"


def email(number: int) -> str:
    return f"u{number}@example.com"


@pytest.fixture
def session(workspace, tmp_path):
    return session_on(workspace, tmp_path)


def look_up(session, identifiers) -> None:
    unknown = declare_members(session, identifiers).unknown
    look_for_unknown(session, unknown)


def test_few_unknown_members_are_searched_without_asking_for_the_price(workspace, session):
    """1,000 of them take 20 calls, as designed."""
    workspace.users(1_000)
    look_up(session, map(email, range(1_000)))
    assert workspace.calls == {SEARCH: 20}
    assert rows(session, "SELECT count(*), bool_and(by_email) FROM dinmo.contacts") == [
        (1_000, True)
    ]


def test_many_unknown_members_of_a_large_workspace_are_searched(workspace, session):
    """One call tells that the list would take more; the most is what the plan says."""
    workspace.users(9_000)
    look_up(session, map(email, range(2_000)))
    assert workspace.calls == {LIST: 1, SEARCH: 40}
    assert most_lookup_calls(2_000) == 41
    assert most_lookup_calls(1_000) == 20


def test_a_large_part_of_the_workspace_is_listed(workspace, session):
    """5,000 members in a workspace of 6,000: 40 calls instead of 100; all is known afterwards."""
    workspace.users(6_000)
    members = [*map(email, range(2_000, 6_500)), *(f"absent{n}@example.com" for n in range(500))]
    look_up(session, members)
    assert workspace.calls == {LIST: 40}
    assert compare(session).unknown == 0
    assert rows(session, "SELECT count(*), bool_and(by_email) FROM dinmo.contacts") == [
        (6_000, True)
    ]
    assert rows(session, "SELECT count(*) FROM dinmo.missing_members") == [(1_000,)]


def test_the_list_finds_what_a_search_finds(workspace, tmp_path):
    """Users of both kinds of identifier, several of one address, no leads: the same change set."""
    people = [NewContact(f"U{n % 1_200}@Example.com", f"id{n}") for n in range(1_500)]
    leads = [NewContact(email(n), role="lead") for n in range(1_100, 1_300)]
    results = []
    for match_by in ("email", "user_id"):
        for extra in (0, 4_000):
            workspace.reset()
            workspace.create(people)
            workspace.create(leads)
            workspace.create(NewContact(f"other{n}@example.com") for n in range(extra))
            folder = tmp_path / f"{match_by}-{extra}"
            folder.mkdir()
            session = session_on(workspace, folder, match_by=match_by)
            names = [email(n) if match_by == "email" else f"id{n}" for n in range(1_300)]
            look_up(session, names)
            assert (workspace.calls[SEARCH] == 0) == (extra == 0)
            changes = compare(session)
            results.append((match_by, changes.entered, changes.not_in_intercom, changes.unknown))
    assert results[0] == results[1] == ("email", 1_200, 100, 0)
    assert results[2] == results[3] == ("user_id", 1_300, 0, 0)


@pytest.mark.parametrize("fault", ["repeated cursor", "refused"])
def test_a_list_that_breaks_off_is_replaced_by_searching(workspace, session, caplog, fault):
    """And claims nothing: that all users of an address are known, only a complete list can say."""
    workspace.users(3_000)
    if fault == "refused":
        workspace.fail(
            {"kind": "status", "status": 400, "match": {"route": "/contacts"}, "after": 3}
        )
    else:
        transport = workspace.client._transport
        call = transport.call

        def once_more(method, path, **options):
            # As a server that ignores the cursor: the first page comes again and again.
            if path == "/contacts":
                options["query"] = {"per_page": "150"}
            return call(method, path, **options)

        transport.call = once_more
    with caplog.at_level(logging.WARNING):
        look_up(session, map(email, range(3_000)))
    assert "of no use" in caplog.text
    assert workspace.calls[LIST] <= 4
    assert workspace.calls[SEARCH] == 60
    assert compare(session).unknown == 0


def test_an_error_of_access_ends_the_look(workspace, session):
    """Whoever may not list may not search."""
    workspace.reset(missing_scopes=frozenset({"read_contacts"}))
    with pytest.raises(AccessError):
        look_up(session, map(email, range(2_000)))
    assert workspace.client.calls == 1


def test_a_cap_on_lists_is_found_by_the_first_batch_alone(workspace, session):
    """Seven calls for it; then four for each fifty."""
    workspace.reset(in_cap=15)
    workspace.users(500)
    look_up(session, map(email, range(500)))
    assert workspace.calls == {SEARCH: 7 + 9 * 4}
    assert compare(session).unknown == 0


def test_a_batch_without_an_answer_stays_unknown(workspace, session):
    """The others are recorded; the next sync asks again."""
    workspace.users(200)
    workspace.fail(
        {"kind": "status", "status": 503, "match": {"route": "/contacts/search"}, "times": 5}
    )
    look_up(session, map(email, range(200)))
    assert compare(session).unknown == 50
    look_for_unknown(session, 50)
    assert compare(session).unknown == 0


def test_an_intercom_that_is_down_ends_the_look(workspace, session):
    """After three batches in a row, each tried five times, besides those under way."""
    workspace.fail({"kind": "status", "status": 503})
    with pytest.raises(UnavailableError):
        look_up(session, map(email, range(500)))
    assert compare(session).unknown == 500


def test_who_is_not_found_is_remembered_and_costs_nothing_next_time(workspace, session):
    """But a page of sign-ups, while anybody is missing."""
    workspace.users(10)
    look_up(session, map(email, range(15)))
    before = workspace.client.calls
    workspace.clock.now += 600
    look_again(session)
    assert workspace.client.calls - before == 1
    assert compare(session).unknown == 0
    assert compare(session).not_in_intercom == 5


def test_a_sign_up_is_found_at_the_next_look(workspace, session):
    """Among the newly created, one page for 150 of them; all users of the address at once."""
    look_up(session, [email(1), email(2)])
    workspace.clock.now += 3_600
    workspace.create([NewContact(email(1), "1"), NewContact(email(1), "2")])
    look_again(session)
    look_for_unknown(session, compare(session).unknown)
    changes = compare(session)
    assert (changes.entered, changes.unknown, changes.not_in_intercom) == (1, 0, 1)
    assert len(rows(session, "SELECT * FROM dinmo.contacts")) == 2
    assert workspace.calls[SEARCH] <= 3


def test_members_that_stay_away_are_looked_for_at_growing_intervals(workspace, session):
    """After 12 hours, then 24, 48 …; a contact of before may have got their address."""
    look_up(session, [email(1)])
    started, looks = workspace.clock.now, []
    for hours in (11, 13, 36, 38, 85, 88):
        workspace.clock.now = started + hours * 3_600
        before = workspace.client.calls
        look_again(session)
        if workspace.client.calls - before > 1:
            looks.append(hours)
    assert looks == [13, 38, 88]


def test_progress_is_told(workspace, session):
    """In members that were looked for, or in contacts listed."""
    heard = []
    token = progress_listener.set(lambda *told: heard.append(told))
    try:
        workspace.users(1_200)
        look_up(session, map(email, range(100)))
        look_up(session, map(email, range(1_200)))
    finally:
        progress_listener.reset(token)
    assert heard[:2] == [("looking up members", 50, 100), ("looking up members", 100, 100)]
    assert heard[-1] == ("listing contacts", 1_200, 1_200)
