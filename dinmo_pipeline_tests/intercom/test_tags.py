"""Tags: found ignoring case, and read from any answer."""

import pytest

from dinmo_pipeline.intercom.errors import NotFoundError, UnreadableError
from dinmo_pipeline.intercom.tags import Tag
from dinmo_pipeline_tests.intercom.scripted import Reply

ODD = [{}, {"id": None}, {"id": "1"}, {"id": "1", "name": 5}, {"id": [], "name": "x"}]


def test_a_tag_is_found_ignoring_case_and_outer_space(workspace):
    """As Intercom compares names."""
    tag = workspace.tag("Straße VIP")
    assert workspace.client.tags.find("  strasse vip ") == Tag(tag, "Straße VIP")
    assert workspace.client.tags.find("VIP") is None
    assert workspace.calls == {"GET /tags": 2}


def test_a_name_is_found_although_the_answer_escapes_it(script, client_of):
    """Names of contacts were recorded like that. The exact spelling comes first."""
    tags = [{"id": 1, "name": "R&amp;D"}, {"id": "2", "name": "R&D"}]
    script.reply(Reply(body={"type": "list", "data": tags[:1]}), Reply(body={"data": tags}))
    client = client_of(script.base_url)
    assert client.tags.find("r&d") == Tag("1", "R&amp;D")
    assert client.tags.find("R&D") == Tag("2", "R&D")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"data": None},
        {"data": {"id": "1"}},
        {"data": [], "pages": {"next": {"starting_after": "x"}}},
    ],
)
def test_an_incomplete_list_of_tags_is_an_error(script, client_of, body):
    """Otherwise a tag could be missed, and created a second time."""
    script.reply(Reply(body=body))
    with pytest.raises(UnreadableError, match="GET /tags"):
        client_of(script.base_url).tags.list()


def test_odd_items_of_the_list_are_left_out(script, client_of):
    """An item without an id or a name is not a tag."""
    script.reply(Reply(body={"data": [*ODD, None, 3, {"id": 7, "name": "VIP"}], "pages": None}))
    assert client_of(script.base_url).tags.list() == [Tag("7", "VIP")]


@pytest.mark.parametrize("body", ODD)
def test_an_answer_without_a_tag_is_unreadable(script, client_of, body):
    """It does not crash, and does not count as a confirmation."""
    script.reply(Reply(body=body))
    tags = client_of(script.base_url).tags
    for call in (
        lambda: tags.get("1"),
        lambda: tags.create("x"),
        lambda: tags.rename("1", "x"),
        lambda: tags.tag_users("x", ["a"]),
    ):
        with pytest.raises(UnreadableError):
            call()


def test_a_deleted_tag_is_none(workspace):
    """It is not an error."""
    assert workspace.client.tags.get("404") is None


def test_tagging_reports_the_contacts_that_intercom_confirmed(workspace):
    """From 2.16 on one by one. Before, a 200 means all, and one unknown user makes it refuse all."""
    a, b = workspace.users(2)
    answer = workspace.client.tags.tag_users("VIP", [a, "f" * 24, b])
    assert answer.confirmed == {a, b}
    older = workspace.speak("2.15").tags
    assert older.tag_users("VIP", [a, b]).confirmed is None
    with pytest.raises(NotFoundError):
        older.tag_users("VIP", [a, "f" * 24])


def test_odd_confirmations_confirm_nobody(script, client_of):
    """Only an id with `tagged: true` does."""
    users = [
        None,
        {},
        {"id": "a"},
        {"id": "b", "tagged": False},
        {"tagged": True},
        {"id": "c", "tagged": True},
    ]
    script.reply(Reply(body={"id": "1", "name": "VIP", "users": users}))
    assert client_of(script.base_url).tags.tag_users("VIP", ["a"]).confirmed == {"c"}


def test_a_tag_is_renamed_by_its_id(workspace):
    """It keeps the id."""
    tag = workspace.tag("VIP")
    assert workspace.client.tags.rename(tag, "Very important") == Tag(tag, "Very important")
    assert workspace.client.tags.get(tag) == Tag(tag, "Very important")
