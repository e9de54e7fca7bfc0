"""Intercom's own Python SDK works with the emulator."""

from collections.abc import Iterator

import httpx
import pytest
from intercom import (
    CreateContactRequestWithEmail,
    CreateContactRequestWithRole,
    CreateOrUpdateTagRequest,
    Intercom,
    MultipleFilterSearchRequest,
    SingleFilterSearchRequest,
    StartingAfterPaging,
    TagMultipleUsersRequest,
    TagMultipleUsersRequestUsersItem,
)
from intercom.errors import NotFoundError

from dinmo_pipeline_tests.emulator.api import Api


@pytest.fixture
def sdk(api: Api) -> Iterator[Intercom]:
    with httpx.Client() as client:
        yield Intercom(token="made-up", base_url=api.base_url, httpx_client=client)


def test_contacts_are_created_found_and_listed(sdk: Intercom):
    """All pages of the list, and a search with a group of filters."""
    ids = [
        sdk.contacts.create(request=CreateContactRequestWithEmail(email=f"{n}@x.com")).id for n in range(12)
    ]
    sdk.contacts.create(request=CreateContactRequestWithRole(role="lead"))
    assert [contact.id for contact in sdk.contacts.list(per_page=5)][:12] == ids
    query = MultipleFilterSearchRequest(
        operator="AND",
        value=[
            SingleFilterSearchRequest(field="role", operator="=", value="user"),
            SingleFilterSearchRequest(field="email", operator="IN", value=["1@x.com", "2@x.com"]),
        ],
    )
    found = sdk.contacts.search(query=query, pagination=StartingAfterPaging(per_page=1))
    assert found.items is not None
    assert [contact.id for contact in found.items] == [ids[1]]


def test_tags_are_attached_and_detached(sdk: Intercom):
    """One by one, and in bulk."""
    contact = sdk.contacts.create(request=CreateContactRequestWithEmail(email="a@x.com"))
    assert contact.id is not None
    tag = sdk.tags.create(request=CreateOrUpdateTagRequest(name="VIP"))
    sdk.tags.tag_contact(contact.id, tag_id=tag.id)
    assert [each.name for each in sdk.contacts.list_attached_tags(contact.id).data] == ["VIP"]
    sdk.tags.untag_contact(contact.id, tag.id)
    assert sdk.contacts.list_attached_tags(contact.id).data == []
    users = [TagMultipleUsersRequestUsersItem(id=contact.id)]
    sdk.tags.create(request=TagMultipleUsersRequest(name="VIP", users=users))
    assert [each.id for each in sdk.contacts.list_attached_tags(contact.id).data] == [tag.id]


def test_errors_are_the_sdks_own(sdk: Intercom):
    """404 with its code."""
    with pytest.raises(NotFoundError) as caught:
        sdk.tags.find("1")
    assert caught.value.body["errors"][0]["code"] == "not_found"
