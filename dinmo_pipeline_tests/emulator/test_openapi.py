"""Requests and responses match Intercom's official OpenAPI description."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from jsonschema import ValidationError

from dinmo_pipeline_tests.emulator.api import Api, where
from dinmo_pipeline_tests.emulator.openapi import Contract, contract

VERSIONS = ("2.15", "2.16")


@dataclass
class Checked:
    """A client whose requests and responses are checked against the description."""

    api: Api
    contract: Contract

    def __call__(self, method: str, template: str, body: Any = None, **options: Any) -> Any:
        """Call an endpoint; options are the template's parameters and the expected status."""
        status, branch = options.pop("status", 200), options.pop("branch", None)
        if body is not None:
            self.contract.check_request(method, template, body, branch)
        answer = self.api.call(method, template.format(**options), body)
        assert answer.status_code == status, answer.text
        self.contract.check_answer(method, template, status, answer.json())
        return answer.json()


@cache
def _contract(version: str) -> Contract:
    return contract(version)


@pytest.fixture(params=VERSIONS)
def checked(request: pytest.FixtureRequest, api: Api) -> Checked:
    return Checked(api.speaking(request.param), _contract(request.param))


def test_the_admin(checked: Checked):
    """`GET /me`."""
    checked("GET", "/me")


def test_contacts(checked: Checked):
    """Create, show, list, search, archive."""
    user = checked("POST", "/contacts", {"email": "a@x.com", "external_id": "1", "name": "Ann"})
    checked("POST", "/contacts", {"role": "lead"})
    checked("GET", "/contacts/{contact_id}", contact_id=user["id"])
    checked("GET", "/contacts/find_by_external_id/{external_id}", external_id="1")
    assert len(checked("GET", "/contacts")["data"]) == 2
    for query in (
        where("email", "IN", ["a@x.com"]),
        {"operator": "AND", "value": [where("role", "=", "user"), where("created_at", ">", 0)]},
    ):
        body = {"query": query, "pagination": {"per_page": 1}}
        assert checked("POST", "/contacts/search", body)["total_count"] == 1
    checked("POST", "/contacts/{contact_id}/archive", contact_id=user["id"])


def test_merging(checked: Checked):
    """The survivor; from 2.16 on, the 410 of the merged lead and the 400 for strangers."""
    lead, user, stranger = checked.api.seed(
        {"email": "a@x.com", "role": "lead"},
        {"email": "a@x.com"},
        {"email": "b@x.com", "role": "lead"},
    )
    checked("POST", "/contacts/merge", {"from": lead, "into": user})
    if checked.api.version == "2.16":
        checked("GET", "/contacts/{contact_id}", contact_id=lead, status=410)
        checked("POST", "/contacts/merge", {"from": stranger, "into": user}, status=400)


def test_tags(checked: Checked):
    """Create, list, show, tag in bulk, and errors."""
    contact = checked.api.user(email="a@x.com")
    tag = checked("POST", "/tags", {"name": "VIP"}, branch="create_or_update_tag_request")
    bulk = {"name": "VIP", "users": [{"id": contact}]}
    checked("POST", "/tags", bulk, branch="tag_multiple_users_request")
    checked("GET", "/tags")
    checked("GET", "/tags/{tag_id}", tag_id=tag["id"])
    checked("GET", "/tags/{tag_id}", tag_id="1", status=404)
    checked("DELETE", "/tags/{tag_id}", tag_id="1", status=404)
    if checked.api.version == "2.15":
        bulk["users"] = [{"id": "unknown"}]
        checked("POST", "/tags", bulk, branch="tag_multiple_users_request", status=404)


def test_tags_of_a_contact(checked: Checked):
    """Add, list, remove, remove again, and unknown tags and contacts."""
    contact, tag_id = checked.api.user(email="a@x.com"), checked.api.tag("VIP")
    tags = "/contacts/{contact_id}/tags"
    checked("POST", tags, {"id": tag_id}, contact_id=contact)
    checked("GET", tags, contact_id=contact)
    for _ in range(2):
        checked("DELETE", f"{tags}/{{tag_id}}", contact_id=contact, tag_id=tag_id)
    checked("POST", tags, {"id": "1"}, contact_id=contact, status=404)
    checked("GET", tags, contact_id="unknown", status=404)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_checks_can_fail(version: str):
    """A description that allows everything would prove nothing."""
    for body in ({"type": "list", "data": [{"id": 5}]}, {"type": "map"}):
        with pytest.raises(ValidationError):
            _contract(version).check_answer("GET", "/tags", 200, body)
