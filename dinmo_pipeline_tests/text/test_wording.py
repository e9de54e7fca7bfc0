"""Counts agree with their nouns, and suggestions name what is near."""

import pytest

from dinmo_pipeline.text.wording import MAX_LENGTH_SHOWN, counted, nearest, shown, suggestion


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (1_200, "1,200 rows")],
)
def test_a_count_agrees_with_its_noun(number, words):
    """One row is not rows."""
    assert counted(number, "row") == words


def test_an_irregular_plural_is_given():
    """English has some."""
    assert (counted(1, "entry", "entries"), counted(2, "entry", "entries")) == (
        "1 entry",
        "2 entries",
    )


def test_a_suggestion_names_what_is_near():
    """Whatever its case; nothing where nothing is near."""
    assert suggestion("Segmnet", ["segment", "model"]) == "Perhaps you meant 'segment'."
    assert suggestion("order", ["orders", "border"], limit=3) == "Perhaps you meant 'orders' or 'border'."
    assert suggestion("xyz", ["segment"]) is None
    assert nearest("SEGMENTS", ["Segments"]) == ("Segments",)


def test_a_users_text_is_shown_on_one_short_line():
    """It must not steer a terminal or fill it."""
    assert shown("a\nb\x1b") == "a b "
    assert shown("x" * 500) == "x" * MAX_LENGTH_SHOWN + "…"
