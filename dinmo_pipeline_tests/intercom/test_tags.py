"""Tags: found without regard to case, read from any answer."""

import pytest

from dinmo_pipeline.intercom.errors import NotFoundError, UnreadableError
from dinmo_pipeline.intercom.tags import Tag
from dinmo_pipeline_tests.intercom.scripted import Reply

ODD = [{}, {"id": None}, {"id": "1"}, {"id": "1", "name": 5}, {"id": [], "name": "x"}]


def test_a_tag_is_found_without_regard_to_case_and_space(workspace):
    """As Intercom compares names."""
    tag = workspace.tag("Straße VIP")
    assert workspace.client.tags.find("  strasse vip ") == Tag(tag, "Straße VIP")
    assert workspace.client.tags.find("VIP") is None
    assert workspace.calls == {"GET /tags": 2}


def test_a_name_that_was_answered_escaped_is_found(script, client_of):
    """Contact names were recorded so; the exact spelling goes first."""
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
def test_a_list_of_tags_that_is_not_whole_is_told(script, client_of, body):
    """Else a tag would be missed, and made a second time."""
    script.reply(Reply(body=body))
    with pytest.raises(UnreadableError, match="GET /tags"):
        client_of(script.base_url).tags.list()


def test_odd_items_of_the_list_are_left_out(script, client_of):
    """What has no id or no name is no tag."""
    script.reply(Reply(body={"data": [*ODD, None, 3, {"id": 7, "name": "VIP"}], "pages": None}))
    assert client_of(script.base_url).tags.list() == [Tag("7", "VIP")]


@pytest.mark.parametrize("body", ODD)
def test_an_answer_without_a_tag_is_unreadable(script, client_of, body):
    """Not a crash, and not taken for a confirmation."""
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
    """Not an error."""
    assert workspace.client.tags.get("404") is None


def test_tagging_reports_whom_intercom_confirmed(workspace):
    """From 2.16 on user by user; before, a 200 means all, and one unknown user refuses all."""
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
    """And keeps it."""
    tag = workspace.tag("VIP")
    assert workspace.client.tags.rename(tag, "Very important") == Tag(tag, "Very important")
    assert workspace.client.tags.get(tag) == Tag(tag, "Very important")
