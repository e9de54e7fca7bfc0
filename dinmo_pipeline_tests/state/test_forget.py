"""Erasing a person from the log, also where only a merge leads to them."""

from dinmo_pipeline.contact import Contact
from dinmo_pipeline.state.contacts.directory import record_contacts
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.forget import FORGOTTEN, erase, find_person
from dinmo_pipeline.state.ledger import AppliedChange, record_outcomes
from dinmo_pipeline_tests.state.declaring import NOW


def test_the_log_no_longer_says_into_which_contact_another_was_merged(tmp_path):
    """Ann's contact was merged into Ben's: the row about Ann leads to Ben."""
    merged = AppliedChange("left", "ann@x.org", "c1", "gone", "410 contact_merged", "r1", merged_into="c2")
    other = AppliedChange("entered", "cy@x.org", "c3", "applied", None, "r2")
    with StateDatabase(str(tmp_path / "state.duckdb")).transaction() as connection:
        seen = [Contact("c2", "ben@x.org", None)]
        record_contacts(connection, "main", seen, by_email=True, now=NOW)
        record_outcomes(connection, "vip", "main", "s1", [merged, other], now=NOW)
        erased = erase(connection, find_person(connection, "ben@x.org"))
        log = connection.execute(
            "SELECT identifier, contact_id, outcome, reason, request_id, merged_into"
            " FROM dinmo.change_log ORDER BY outcome"
        ).fetchall()
    assert erased["change_log"] == 1
    assert log == [
        ("cy@x.org", "c3", "applied", None, "r2", None),
        (FORGOTTEN, None, "gone", "410 contact_merged", None, None),
    ]
