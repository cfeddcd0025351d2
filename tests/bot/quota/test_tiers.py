"""What a tier includes, and how it is stored."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import NotAllowed
from bot.i18n import say
from bot.quota.tiers import Asked, Tier, allows, best, check, from_json, to_json

NARROW = Tier(name="basic", models=("seedream-4",), size="2K", references=1, series=4)
AMOUNTS = st.none() | st.integers(0, 10**12)
TIERS = st.builds(
    Tier,
    name=st.just("pro"),
    rank=st.integers(-9, 9),
    limits=st.dictionaries(st.tuples(st.sampled_from(("images", "usd")), st.sampled_from(("day", "total"))), AMOUNTS),
    models=st.lists(st.sampled_from(("a", "b")), unique=True).map(tuple),
    size=st.sampled_from(("", "2K", "2048x1024")),
    references=st.none() | st.integers(0, 9),
    series=st.none() | st.integers(1, 9),
    in_flight=st.none() | st.integers(1, 9),
    priority=st.integers(-9, 9),
)


@given(TIERS)
def test_what_is_stored_is_read_back(tier: Tier) -> None:
    assert from_json("pro", to_json(tier)) == tier


def test_a_space_has_no_say_in_the_line() -> None:
    tier = from_json("guests", {"in_flight": 9, "priority": 9, "series": 2, "from": "a later version"}, "team")

    assert tier == Tier(name="guests", space="team", series=2)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"model": "seedream-5"}, "The tier basic does not include seedream-5."),
        ({"size": "4K"}, "The tier basic goes up to 2K."),
        ({"size": "3072x2048"}, "The tier basic goes up to 2K."),
        ({"references": 2}, "The tier basic takes at most one picture as a reference."),
        ({"pictures": 5}, "The tier basic makes at most 4 pictures at a time."),
    ],
)
def test_what_is_not_included_is_said(asked: dict[str, Any], words: str) -> None:
    with pytest.raises(NotAllowed) as refused:
        check((NARROW,), Asked(**asked))

    assert say(refused.value.text, "en") == words
    assert not allows((NARROW,), Asked(**asked))
    assert allows((), Asked(**asked))


def test_what_is_included_passes() -> None:
    for size in ("1K", "2K", "2848x1600", "match", ""):  # the 2K of a wide picture
        check((NARROW,), Asked(model="seedream-4", size=size, references=1, pictures=4))


def test_who_holds_two_tiers_is_bound_by_both() -> None:
    local = Tier(name="guests", space="team", series=1)

    with pytest.raises(NotAllowed, match="guests"):
        check((NARROW, local), Asked(model="seedream-4", pictures=2))
    with pytest.raises(NotAllowed, match="basic"):
        check((NARROW, local), Asked(size="4K"))


def test_the_tiers_that_would_allow_it_are_named() -> None:
    known = (NARROW, Tier(name="pro"), Tier(name="gold"), Tier(name="guests", space="team"), Tier(name="b", size="1K"))

    with pytest.raises(NotAllowed, match=r"goes up to 2K\. gold, pro allow it\."):
        check((NARROW,), Asked(size="4K"), known)


def test_the_best_is_of_the_highest_rank_and_then_the_first_by_name() -> None:
    tiers = [Tier(name="c", rank=1), Tier(name="b", rank=2), Tier(name="a", rank=2)]

    assert best(tiers) == tiers[2]
    assert best(()) is None
