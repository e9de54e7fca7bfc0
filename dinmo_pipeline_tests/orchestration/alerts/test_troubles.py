"""What is told of troubles that begin and end."""

from hypothesis import given
from hypothesis import strategies as st

from dinmo_pipeline.orchestration.alerts.troubles import Seen, Subject, Trouble, as_message, as_title, news
from dinmo_pipeline.sync.explanations import EXPLANATIONS
from dinmo_pipeline.sync.standing import State

TROUBLES = st.dictionaries(st.sampled_from(Trouble), st.just(Seen("Trouble.", "a-run")), max_size=4)
VIP = Subject("vip", "VIP", "customers", "https://dagster.example.com")


@given(st.lists(TROUBLES))
def test_who_hears_all_news_knows_how_things_are(troubles):
    """News begin and end what was told; nothing is told twice, and nothing when nothing changed."""
    known: dict[str, Seen] = {}
    for now in troubles:
        told = news(VIP, known, now)
        assert (told is None) == (known.keys() == now.keys())
        assert (told or "").count("Trouble.") == len(now.keys() - known.keys())
        assert (told or "").count("again.") + (told or "").count("no longer") == len(
            known.keys() - now.keys()
        )
        known = now


def test_news_say_what_to_do_and_link_to_the_run():
    """What to do is said once, in the words of `dinmo explain`."""
    now = {
        Trouble.NOBODY_MATCHED: Seen("None of 12 members were found.", "run-1"),
        Trouble.TAGS: Seen("Intercom refused.", "run-1"),
        Trouble.MEMBERSHIP: Seen("No table.", "run-2"),
        Trouble.HELD: Seen(None, "run-3"),
    }
    first, *rest = (news(VIP, [Trouble.HELD], now) or "").split("\n    ")
    assert first == (
        "vip (tag 'VIP'): None of 12 members were found. Intercom refused. No table. It is no longer held."
    )
    to_do = [EXPLANATIONS[state].to_do for state in (State.NOBODY_MATCHED, State.FAILED)]
    assert rest == [
        f"What to do: {to_do[0].replace('SEGMENT', 'customers')}",
        f"What to do: {to_do[1].replace('ACTIVATION', 'vip')}",
        *(f"Run: https://dagster.example.com/runs/run-{n}" for n in (1, 2, 3)),
    ]


def test_without_an_address_of_the_ui_the_run_is_named():
    """And where to look for it."""
    told = news(Subject("vip"), [], {Trouble.HELD: Seen("held.", "run-1")})
    assert told == "vip: held.\n    Run: run-1 (in the Dagster UI, under Runs)"


def test_a_title_is_one_line():
    """Of one activation what happened, of several their names."""
    assert as_title(["vip (tag 'VIP'): held.\n    Run: 1"]) == "vip (tag 'VIP'): held."
    assert as_title(["vip: held.\n    Run: 1", "vip: It is no longer held."]) == "vip: It is no longer held."
    several = ["vip (tag 'VIP'): held.\n    Run: 1", "two: held.", "three: held.", "four: held."]
    assert as_title(several[:2]) == "2 activations: vip, two"
    assert as_title(several) == "4 activations: vip, two, three, …"


def test_the_first_of_very_many_are_told():
    """And how many more there are; few are told whole."""
    lines = [f"activation {n}" for n in range(22)]
    assert as_message(lines) == "\n".join([*lines[:20], "… and 2 more activations."])
    assert as_message(lines[:20]) == "\n".join(lines[:20])
