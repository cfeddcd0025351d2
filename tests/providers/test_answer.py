import base64
import json
import tracemalloc
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.providers.answer import AnswerReader, BrokenAnswer

pictures = st.lists(st.binary(min_size=1, max_size=80), max_size=4)
cuts = st.lists(st.integers(0, 900), max_size=20)


def read(folder: Path, body: bytes, cuts: list[int] | None = None) -> tuple[object, AnswerReader]:
    reader = AnswerReader(lambda number: folder / str(number))
    edges = [0, *sorted(cut for cut in cuts or [] if cut < len(body)), len(body)]
    try:
        for start, stop in pairwise(edges):
            reader.feed(body[start:stop])
        return reader.close(), reader
    finally:
        reader.abandon()


@given(pictures, cuts, st.booleans(), st.text(max_size=40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_split_gives_the_same_bytes_and_the_same_words(
    tmp_path: Path, pictures: list[bytes], cuts: list[int], slashed: bool, note: str
) -> None:
    entries = [{"b64_json": base64.b64encode(data).decode(), "size": "1x1"} for data in pictures]
    # The key as a value, escaped inside a string, and as somebody's words must not be taken for a picture.
    body = json.dumps({"note": note, "b64": 'say "b64_json": "x\\', "x": "b64_json", "data": entries, "b64_json": None})
    if slashed:
        body = body.replace("/", "\\/")

    data, reader = read(tmp_path, body.encode(), cuts)

    numbered = [{"b64_json": str(at), "size": "1x1"} for at in range(len(pictures))]
    assert data == {**json.loads(body), "data": numbered}
    assert [file.read_bytes() for file in reader.files] == pictures
    assert not any(picture.broken for picture in reader.pictures)


@pytest.mark.parametrize("value", ["QQ==QQ==", "Q", "QUJD*UJD", "QUJDQ", "====", "data:image/png;base64,"])
@pytest.mark.parametrize("cut", [1, 4, 9])
def test_what_is_not_base64_is_a_broken_picture_and_the_rest_is_read(tmp_path: Path, value: str, cut: int) -> None:
    body = json.dumps({"data": [{"b64_json": value}, {"b64_json": "QUJD"}]}).encode()
    start = body.index(value.encode())

    data, reader = read(tmp_path, body, [start + cut])

    assert data == {"data": [{"b64_json": "0"}, {"b64_json": "1"}]}
    assert [bool(picture.broken) for picture in reader.pictures] == [True, False]
    assert reader.files[1].read_bytes() == b"ABC"


@given(cuts)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_data_uri_is_understood(tmp_path: Path, cuts: list[int]) -> None:
    body = b'{"data": [{"b64_json": "data:image/png;base64,QUJDRA=="}]}'

    _, reader = read(tmp_path, body, cuts)

    assert reader.files[0].read_bytes() == b"ABCD"


def test_an_empty_value_is_no_picture(tmp_path: Path) -> None:
    data, reader = read(tmp_path, b'{"data": [{"b64_json": "", "url": "https://x/1"}]}')

    assert data == {"data": [{"b64_json": "", "url": "https://x/1"}]}
    assert reader.files == []


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"data": [', b'{"data": [{"b64_json": "QUJD', b'{"b64_json": "'])
def test_a_cut_or_foreign_answer_is_broken(tmp_path: Path, body: bytes) -> None:
    with pytest.raises(BrokenAnswer):
        read(tmp_path, body)


def test_too_many_words_are_refused(tmp_path: Path) -> None:
    reader = AnswerReader(lambda number: tmp_path / str(number), most_words=1000)
    reader.feed(b'"0123456789",' * 70)
    with pytest.raises(BrokenAnswer):
        reader.feed(b'"0123456789",' * 70)


def test_a_picture_above_the_limit_is_broken(tmp_path: Path) -> None:
    reader = AnswerReader(lambda number: tmp_path / str(number), most=10)
    reader.feed(json.dumps({"b64_json": base64.b64encode(bytes(100)).decode()}).encode())
    reader.close()

    assert "above 10 bytes" in reader.pictures[0].broken


def test_a_picture_of_any_size_takes_little_memory(tmp_path: Path) -> None:
    reader = AnswerReader(lambda number: tmp_path / str(number))
    chunk = b"QUJD" * 16_384
    reader.feed(b'{"data": [{"b64_json": "')
    tracemalloc.start()
    try:
        for _ in range(640):  # 40 MiB of text
            reader.feed(chunk)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    reader.feed(b'"}]}')
    reader.close()

    assert reader.files[0].stat().st_size == 30 * 1024 * 1024
    assert peak < 1024 * 1024
