"""A fifth of all calls fail, at random and in every way. One quiet sync later everything is right."""

import random

import pytest

from dinmo_pipeline.emulator import NewContact, running
from dinmo_pipeline.emulator.faults import Fault, Faults
from dinmo_pipeline_tests.end_to_end.convergence import HARMLESS_CALLS
from dinmo_pipeline_tests.end_to_end.faults.mortal_pipeline import MortalPipeline
from dinmo_pipeline_tests.intercom.workspace import Clock
from dinmo_pipeline_tests.state.declaring import activation

VIP = activation()
KINDS = [
    {"kind": "status", "status": 429},
    {"kind": "status", "status": 500},
    {"kind": "html"},
    {"kind": "drop_before"},
    {"kind": "drop_after"},
    {"kind": "timeout_before", "seconds": 0.01},
    {"kind": "timeout_after", "seconds": 0.01},
]
# Each rule sees only calls that the earlier ones let pass; together they hit a fifth of the calls.
RATE = 1 - 0.8 ** (1 / len(KINDS))


@pytest.mark.parametrize("seed", range(5))
def test_one_quiet_sync_repairs_what_failing_calls_left(tmp_path, seed):
    """Members move five times under faults. No contact is created, and no unsafe call is made."""
    choice = random.Random(seed)  # noqa: S311  # not for secrets
    emails = [f"user{n:03}@example.com" for n in range(150)]
    clock = Clock()
    with running(clock=clock) as server:
        server.store.create_many([NewContact(email) for email in emails])
        pipeline = MortalPipeline(server, clock, tmp_path)
        for sync in range(5):
            faults = [Fault(rate=RATE, seed=100 * seed + sync + n, **k) for n, k in enumerate(KINDS)]
            server.emulator.faults = Faults(faults)
            members = set(choice.sample(emails, 75))
            pipeline.sync(VIP, members)
        server.emulator.faults = Faults([])
        assert pipeline.sync(VIP, members).status == "ok"
        store, stats = server.store, server.emulator.stats
        assert {contact.email for contact in store.tagged(store.tag_named("VIP"))} == members
        assert len(store.tags()) == 1
        assert stats.contacts_created == 0
        assert set(stats.calls) <= HARMLESS_CALLS
        assert stats.statuses["lost"] > 0
        pipeline.client.close()
