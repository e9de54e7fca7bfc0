"""Calls that Intercom carried out without a record are put right, even if the member has moved since."""

import pytest

from dinmo_pipeline.emulator import NewContact, running
from dinmo_pipeline.emulator.faults import Fault, Faults
from dinmo_pipeline_tests.end_to_end.faults.mortal_pipeline import MortalPipeline
from dinmo_pipeline_tests.intercom.workspace import Clock
from dinmo_pipeline_tests.state.declaring import activation

VIP = activation()
ANA, BEN = "ana@example.com", "ben@example.com"


@pytest.fixture
def pipeline(tmp_path):
    """Ana and Ben are users, Ben is a member and carries the tag."""
    clock = Clock()
    with running(clock=clock) as server:
        server.store.create_many([NewContact(ANA), NewContact(BEN)])
        pipeline = MortalPipeline(server, clock, tmp_path)
        pipeline.sync(VIP, {BEN})
        yield pipeline


def dies_in(pipeline, members, *, call):
    """A sync killed after Intercom carried out a call; returns the number of ticks."""
    calls = pipeline.server.emulator.stats.calls
    before = calls[call]
    for ticks in range(100):
        with pipeline.dying_after(ticks):
            pipeline.sync(VIP, members)
        if calls[call] > before:
            return
    raise AssertionError


def loses_answers(pipeline, members, *, call):
    """A sync that gets no answer to a call."""
    method, route = call.split()
    fault = Fault(kind="drop_after", method=method, route=route)
    pipeline.server.emulator.faults = Faults([fault])
    pipeline.sync(VIP, members)
    pipeline.server.emulator.faults = Faults([])


def tagged(pipeline):
    """The emails of contacts that carry the tag."""
    store = pipeline.server.store
    return {contact.email for contact in store.tagged(store.tag_named("VIP"))}


@pytest.mark.parametrize("goes_wrong", [dies_in, loses_answers])
def test_a_member_tagged_without_record_who_left_loses_the_tag(pipeline, goes_wrong):
    """Although nothing ever confirmed the tag."""
    goes_wrong(pipeline, {ANA, BEN}, call="POST /tags")
    assert tagged(pipeline) == {ANA, BEN}
    assert pipeline.sync(VIP, {BEN}).status == "ok"
    assert tagged(pipeline) == {BEN}


@pytest.mark.parametrize("goes_wrong", [dies_in, loses_answers])
def test_a_member_untagged_without_record_who_came_back_gets_the_tag(pipeline, goes_wrong):
    """Although nothing ever confirmed the untagging."""
    pipeline.sync(VIP, {ANA, BEN})
    goes_wrong(pipeline, {BEN}, call="DELETE /contacts/{id}/tags/{tag_id}")
    assert tagged(pipeline) == {BEN}
    assert pipeline.sync(VIP, {ANA, BEN}).status == "ok"
    assert tagged(pipeline) == {ANA, BEN}
