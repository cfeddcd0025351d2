"""How sides become sides."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.media.shape import Shape, fit
from tests.bot.media.pictures import LIMITS

sides = st.integers(1, 60_000)


@given(sides, sides, st.integers(100_000, 36_000_000), st.integers(1, 64))
def test_every_picture_ends_within_the_limits(width: int, height: int, max_pixels: int, min_side: int) -> None:
    limits = replace(LIMITS, max_pixels=max_pixels, min_side=min_side)

    shape = fit(width, height, limits)

    across, down = shape.canvas
    assert across * down <= max_pixels
    assert min(across, down) >= min_side
    assert limits.min_aspect <= across / down <= limits.max_aspect
    assert shape.content[0] <= across
    assert shape.content[1] <= down


@given(st.integers(15, 6000), st.integers(15, 6000))
def test_what_fits_is_left_alone(width: int, height: int) -> None:
    if not 1 / 16 <= width / height <= 16:
        return

    assert fit(width, height, LIMITS) == Shape((width, height), (width, height))


@given(st.integers(100, 8000), st.integers(100, 8000))
def test_a_smaller_picture_keeps_its_proportions(width: int, height: int) -> None:
    if not 1 / 10 <= width / height <= 10:
        return

    shape = fit(width, height, LIMITS, max_pixels=1_000_000)

    assert shape.content == shape.canvas
    assert shape.content[0] / shape.content[1] == pytest.approx(width / height, rel=0.01)


def test_limits_that_contradict_each_other_are_said() -> None:
    with pytest.raises(ValueError, match="100x100 cannot be made to fit"):
        fit(100, 100, replace(LIMITS, min_side=200, max_pixels=10_000))
