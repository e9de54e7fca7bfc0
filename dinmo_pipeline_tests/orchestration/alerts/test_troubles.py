"""What is told of troubles that begin and end."""

from hypothesis import given
from hypothesis import strategies as st

from dinmo_pipeline.orchestration.alerts.troubles import Trouble, as_message, news

TROUBLES = st.dictionaries(st.sampled_from(Trouble), st.just("Trouble."), max_size=4)


@given(st.lists(TROUBLES))
def test_who_hears_all_news_knows_how_things_are(troubles):
    """News begin and end what was told; nothing is told twice, and nothing when nothing changed."""
    known: dict[str, str] = {}
    for now in troubles:
        told = news("vip", known, now)
        assert (told is None) == (known.keys() == now.keys())
        assert (told or "").count("Trouble.") == len(now.keys() - known.keys())
        assert (told or "").count("again.") + (told or "").count("no longer") == len(
            known.keys() - now.keys()
        )
        known = now


def test_the_first_of_very_many_are_told():
    """And how many more there are; few are told whole."""
    lines = [f"activation {n}" for n in range(22)]
    assert as_message(lines) == "\n".join([*lines[:20], "… and 2 more activations."])
    assert as_message(lines[:20]) == "\n".join(lines[:20])
