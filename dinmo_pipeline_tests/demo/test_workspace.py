"""Most customers are in the Intercom workspace: once, twice, as leads only, or not at all."""

from collections import Counter, defaultdict

import duckdb
import pytest

from dinmo_pipeline.demo.workspace import intercom_contacts, new_contacts_day2


@pytest.fixture(scope="module")
def customers(day_one):
    """Each customer's address as Intercom stores it, by customer id."""
    return addresses(day_one)


def addresses(warehouse):
    """Addresses, trimmed and in lower case, by customer id; empty if unknown."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        sql = "select customer_id, lower(trim(coalesce(email, ''))) from customers"
        return dict(connection.execute(sql).fetchall())


def roles_by_address(contacts):
    """The sorted roles of the contacts with each address."""
    roles = defaultdict(list)
    for contact in contacts:
        if "email" in contact:
            roles[contact["email"]].append(contact["role"])
    return {address: sorted(found) for address, found in roles.items()}


def test_is_the_same_each_time(day_one, day_two, contacts, new_contacts):
    """The workspace depends only on the warehouse."""
    assert intercom_contacts(day_one) == contacts
    assert new_contacts_day2(day_two, contacts) == new_contacts


def test_most_customers_are_users_under_their_id(contacts, customers):
    """About 85 % are users, so matching by user id finds them."""
    ids = {contact.get("external_id") for contact in contacts if contact["role"] == "user"}
    assert 0.82 < len(ids & set(customers)) / len(customers) < 0.88


def test_users_have_their_customers_address(contacts, customers):
    """On day one, matching by email and by user id agree; a user without an address has no email."""
    for contact in contacts:
        if contact.get("external_id") in customers:
            assert contact.get("email", "") == customers[contact["external_id"]]


def test_external_ids_are_unique_and_only_users_have_them(contacts, new_contacts):
    """Intercom allows an external id only once, and generates those of leads."""
    everybody = [*contacts, *new_contacts]
    ids = [contact["external_id"] for contact in everybody if contact["role"] == "user"]
    assert len(set(ids)) == len(ids)
    assert not any("external_id" in contact for contact in everybody if contact["role"] == "lead")


@pytest.mark.parametrize(
    ("roles", "at_least", "at_most"),
    [
        (["user", "user"], 40, 120),  # both of them get a tag
        (["lead"], 80, 250),  # a lead is not a user: no tag
        (["lead", "user"], 15, 60),  # only the user gets it
    ],
)
def test_some_addresses_are_special(contacts, customers, roles, at_least, at_most):
    """Some customers are two users, some only a lead, some a user and a lead."""
    found = roles_by_address(contacts)
    special = {address for address in customers.values() if found.get(address) == roles}
    assert at_least <= len(special) <= at_most


def test_some_customers_are_missing(contacts, customers):
    """About a tenth are not in Intercom."""
    known = {contact.get("email") for contact in contacts}
    missing = {address for address in customers.values() if address and address not in known}
    assert 0.07 < len(missing) / len(customers) < 0.15


def test_strangers_are_not_customers(contacts, customers, day_two):
    """Some contacts are never in a segment."""
    emails = {*customers.values(), *addresses(day_two).values()}
    strangers = [
        contact
        for contact in contacts
        if contact.get("email", "") not in emails and "forum" in contact.get("email", "")
    ]
    assert Counter(contact["role"] for contact in strangers) == {"user": 180, "lead": 60}


def test_contacts_of_day_one_are_old(contacts, day_one):
    """All were created before `today`, so none looks like a new sign-up."""
    with duckdb.connect(str(day_one), read_only=True) as connection:
        sql = "select epoch(date_trunc('day', max(signed_up_at)) + interval 1 day) from customers"
        ((midnight,),) = connection.execute(sql).fetchall()
    assert all(0 < contact["created_at"] < midnight for contact in contacts)


def test_people_sign_up_on_day_two(contacts, new_contacts, day_two):
    """New customers, customers who were missing, and customers with a new address; all sign up now."""
    before, after = {contact.get("external_id") for contact in contacts}, addresses(day_two)
    known = {contact.get("email") for contact in contacts}
    newcomers = {key for key in after if key > "C03200"}
    kinds = Counter(
        "newcomer"
        if contact["external_id"] in newcomers
        else "was missing"
        if contact["external_id"] in after
        else "new address"
        for contact in new_contacts
    )
    assert kinds["newcomer"] >= 20
    assert kinds["was missing"] >= 80
    assert kinds["new address"] >= 5
    assert not any(contact["external_id"] in before for contact in new_contacts)
    assert not any("created_at" in contact for contact in new_contacts)
    assert all(contact["role"] == "user" for contact in new_contacts)
    assert sum(contact.get("email") not in known for contact in new_contacts) >= 100
