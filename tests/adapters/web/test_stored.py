"""A reply comes out of the table as it went in."""

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from adapters.web.messages import Quote
from adapters.web.shape import Shape, shape
from adapters.web.stored import reply_from_json, reply_to_json
from bot.chat import AccountLine, Button, Picture, Reply, Tone
from bot.i18n import Money, Text, plural, text, verbatim

WORDS = st.text(max_size=20)
NUMBERS = st.integers(min_value=0, max_value=2**53)
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
TEXTS: st.SearchStrategy[Text] = st.one_of(
    WORDS.map(verbatim),
    NUMBERS.map(lambda count: plural("{count} picture", "{count} pictures", count)),
    NUMBERS.map(lambda amount: text("It costs {money}.", money=Money(amount))),
    MOMENTS.map(lambda moment: text("At {time}.", time=moment)),
)


def build(kind: Any, **fields: Any) -> Any:
    return st.builds(kind, **fields)


REPLIES = build(
    Reply,
    text=TEXTS,
    tone=st.sampled_from(Tone),
    prompt=WORDS,
    notes=st.lists(TEXTS, max_size=2).map(tuple),
    rows=st.lists(st.tuples(TEXTS, TEXTS), max_size=2).map(tuple),
    pictures=st.lists(
        build(
            Picture, generation=WORDS, index=NUMBERS, blob=WORDS, media_type=WORDS, width=NUMBERS, height=NUMBERS,
            size=NUMBERS, alt=WORDS,
        ),
        max_size=2,
    ).map(tuple),
    buttons=st.lists(
        build(
            Button, command=WORDS, generation=WORDS, label=TEXTS, index=NUMBERS, asks=st.none() | TEXTS,
            picks=st.booleans(), danger=st.booleans(),
        ),
        max_size=2,
    ).map(tuple),
    accounts=st.lists(
        build(
            AccountLine, name=TEXTS, unit=WORDS, window=WORDS, used=NUMBERS, held=NUMBERS, limit=st.none() | NUMBERS,
            resets=st.none() | MOMENTS, ends=st.none() | MOMENTS,
        ),
        max_size=2,
    ).map(tuple),
    private=st.booleans(),
    generation=WORDS,
    state=WORDS,
    language=st.sampled_from(("en", "zh-CN")),
)  # fmt: skip


@given(REPLIES)
def test_a_reply_comes_back_as_it_was(reply: Reply) -> None:
    assert reply_from_json(json.loads(json.dumps(reply_to_json(reply)))) == reply


def asking(words: str) -> Quote:
    return Quote(author="alice", bot=False, words=words, press=None, reply=None, uploads=())


def test_what_is_being_drawn_takes_the_shape_that_was_asked_for() -> None:
    reply = Reply(text=verbatim("Drawing…"))

    assert shape(reply, None) == Shape(1, 1, 1)
    assert shape(reply, asking("/imagine a fox --ratio 16:9 --count 3")) == Shape(16, 9, 3)
    assert shape(reply, asking("/画 狐狸 －－比例 3：4")) == Shape(3, 4, 1)
    assert shape(reply, asking("/画 狐狸 --ar=3:4 --张数 2")) == Shape(3, 4, 2)
    assert shape(reply, asking("/imagine a fox --size 2048x1024")) == Shape(2048, 1024, 1)
    assert shape(reply, asking("/画 狐狸 ——大小 2048×1024")) == Shape(2048, 1024, 1)
    assert shape(reply, asking("/imagine a fox --ratio 0:9 --count 99")) == Shape(1, 1, 15)
