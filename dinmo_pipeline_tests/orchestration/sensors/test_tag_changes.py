"""Which change sets a run is launched for: one test per transition of the decision."""

from dinmo_pipeline.orchestration.sensors.tag_changes import ChangeSetEvent, Decision, decide


def change_set(activation="vip", *, event=10, changes=3, held=False):
    """A change set of an activation; by default there is something to apply."""
    return ChangeSetEvent(activation, event, changes, held)


def decided(*newest, enabled=("vip",), under_way=(), applied=None, paused=()):
    """The decision about the newest change sets."""
    return decide(newest, enabled=enabled, under_way=under_way, applied=applied or {}, paused=paused)


def skipped(why):
    """A decision that launches nothing and forgets the change set."""
    return Decision(launch=(), waiting=(), skipped=(why,))


def test_nothing_new_launches_nothing():
    """A tick between two syncs."""
    assert decided() == Decision((), (), ())


def test_a_change_set_with_changes_is_launched():
    """Also the very first one, when no tags were ever applied."""
    new = change_set()
    assert decided(new) == Decision((new,), (), ())


def test_a_change_set_that_is_newer_than_the_applied_one_is_launched():
    """Storage ids grow, so the larger one came later."""
    new = change_set(event=10)
    assert decided(new, applied={"vip": 9}) == Decision((new,), (), ())


def test_a_change_set_that_was_applied_since_is_skipped():
    """By `dinmo sync`, or by a person in the UI."""
    assert decided(change_set(event=10), applied={"vip": 11}) == skipped("vip was applied by another run")


def test_another_activations_run_applies_nothing_of_this_one():
    """Each is compared with its own."""
    new = change_set(event=10)
    assert decided(new, applied={"other": 11}).launch == (new,)


def test_a_change_set_without_changes_is_skipped():
    """A run would only cost."""
    assert decided(change_set(changes=0)) == skipped("vip has no changes")


def test_a_held_change_set_is_skipped():
    """A person releases it, or a later change set does."""
    assert decided(change_set(held=True)) == skipped("vip is held by a guard")


def test_a_disabled_activation_is_skipped():
    """Even if it has changes, or a run of it is under way."""
    assert decided(change_set(), enabled=(), under_way=("vip",)) == skipped(
        "vip is disabled or no longer declared"
    )


def test_a_change_set_waits_while_its_activation_has_a_run_under_way():
    """Never two runs of one activation at a time; the next tick looks at it again."""
    new = change_set()
    assert decided(new, under_way=("vip",)) == Decision((), (new,), ("vip has a run under way",))


def test_a_change_set_that_waited_is_launched_when_the_run_has_ended():
    """Unless that run, which read the newest changes, applied it."""
    waiting = decided(change_set(), under_way=("vip",)).waiting
    assert decided(*waiting).launch == waiting
    assert decided(*waiting, applied={"vip": 11}) == skipped("vip was applied by another run")


def test_a_held_change_set_does_not_wait_for_a_run_under_way():
    """Waiting would launch it as soon as the run ends."""
    assert decided(change_set(held=True), under_way=("vip",)) == skipped("vip is held by a guard")


def test_each_activation_is_decided_by_itself():
    """In the order of their change sets."""
    ready, busy, empty = change_set("a"), change_set("b"), change_set("c", changes=0)
    decision = decided(ready, busy, empty, enabled=("a", "b", "c"), under_way=("b",))
    assert decision == Decision((ready,), (busy,), ("b has a run under way", "c has no changes"))
