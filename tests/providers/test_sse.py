import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from itertools import count, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.providers.sse import Decoder, Frame, FrameTooLong, read_ahead

words = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=30)
frames = st.lists(st.tuples(words.map(str.strip), st.lists(words, min_size=1, max_size=3)), max_size=5)


@given(frames, st.sampled_from([b"\n", b"\r\n", b"\r"]), st.lists(st.integers(0, 400), max_size=12), st.booleans())
@settings(deadline=None)
def test_any_split_and_any_line_end_gives_the_same_frames(
    frames: list[tuple[str, list[str]]], end: bytes, cuts: list[int], comments: bool
) -> None:
    stream = b""
    for event, data in frames:
        lines = [b": keep-alive", b"id: 7"] if comments else []
        lines += [f"event: {event}".encode()] if event else []
        lines += [f"data: {line}".encode() for line in data]
        stream += b"".join(line + end for line in lines) + end
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    decoder = Decoder()

    got = [f for start, stop in pairwise(edges) for f in decoder.feed(stream[start:stop])]

    # "data: " takes away one space; the words that follow are kept as they are.
    assert got == [Frame(event, "\n".join(data)) for event, data in frames]


@given(st.binary(max_size=300))
def test_noise_never_breaks_it(noise: bytes) -> None:
    list(Decoder().feed(noise))


def test_a_frame_that_is_cut_is_not_given() -> None:
    decoder = Decoder()

    assert list(decoder.feed(b'data: {"a": 1}\n')) == []
    assert list(decoder.feed(b"\n")) == [Frame("", '{"a": 1}')]


def test_a_byte_order_mark_and_a_missing_space_are_understood() -> None:
    assert list(Decoder().feed(b"\xef\xbb\xbfevent:x\ndata:1\n\n")) == [Frame("x", "1")]


def test_a_frame_without_end_is_refused() -> None:
    decoder = Decoder(most=100)
    with pytest.raises(FrameTooLong):
        list(decoder.feed(b"data: 0123456789\n" * 20))


def test_a_frame_may_be_as_long_as_it_is_allowed_however_it_is_split() -> None:
    frame = b"data: " + b"a" * 94
    for size in (1, 30, 100):
        decoder = Decoder(most=100)
        got = [f for at in range(0, 100, size) for f in decoder.feed(frame[at : at + size])]

        assert [*got, *decoder.feed(b"\n\ndata: b\n\n")] == [Frame("", "a" * 94), Frame("", "b")]


async def test_what_has_arrived_is_read_although_nobody_asked_for_it_yet() -> None:
    arrived = asyncio.Event()

    async def source() -> AsyncGenerator[int, None]:
        yield 1
        yield 2
        arrived.set()
        raise ConnectionError

    seen = []
    with suppress(ConnectionError):
        async for one in read_ahead(source()):
            await arrived.wait()
            seen.append(one)
        pytest.fail("that it broke off was not told")

    assert seen == [1, 2]


async def test_reading_ahead_has_a_limit_and_ends_with_whoever_asked() -> None:
    taken = []
    ended = asyncio.Event()

    async def source() -> AsyncGenerator[int, None]:
        try:
            for number in count():
                taken.append(number)
                yield number
        finally:
            ended.set()

    async with aclosing(read_ahead(source(), most=3)) as numbers:
        assert await anext(numbers) == 0
        for _ in range(20):
            await asyncio.sleep(0)

    assert len(taken) <= 6
    assert ended.is_set()


async def test_what_is_heavy_is_read_ahead_one_by_one() -> None:
    taken = []

    async def source() -> AsyncGenerator[int, None]:
        for number in range(10):
            taken.append(number)
            yield number

    seen = []
    async with aclosing(read_ahead(source(), weight=lambda _: 60, heaviest=100)) as numbers:
        async for number in numbers:
            for _ in range(20):
                await asyncio.sleep(0)
            seen.append(number)
            assert len(taken) - len(seen) <= 2

    assert seen == list(range(10))
