"""Reads a JSON answer whose `b64_json` values are pictures of many megabytes, in constant memory.

Every such value is decoded while it arrives, straight into a file; the rest of the JSON is small and kept.
Decoding a whole answer first costs four times its size: 700 MiB where 50 answers of 12 MB are under way.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pybase64

MOST_WORDS = 8 * 1024 * 1024  # of JSON around the pictures
MOST_PICTURE = 128 * 1024 * 1024
MOST_PICTURES = 16
_KEY = b"b64_json"


class BrokenAnswer(ValueError):
    """What arrived is not JSON, or ended too early."""


class Base64File:
    """A picture's base64 text on its way into a file. `broken` says why it will never be one."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file = file
        self._most = most
        self._carry = b""
        self._started = False
        self._padded = False
        self.size = 0
        self.broken = ""

    def feed(self, characters: bytes) -> None:
        if self.broken:
            return
        characters = self._carry + characters
        if not self._started and not (characters := self._without_prefix(characters)):
            return
        # "\/" is how some encoders write "/"; a split may stand between the two.
        kept = characters[-1:] if characters.endswith(b"\\") else b""
        characters = characters.removesuffix(kept)
        if b"\\" in characters:
            characters = characters.replace(b"\\/", b"/")
        rest = len(characters) & 3
        self._carry = (characters[-rest:] if rest else b"") + kept
        self._decode(characters[:-rest] if rest else characters)

    def close(self) -> None:
        if self._carry and not self.broken:
            self.broken = "base64 that ends too early"
        if not self.size and not self.broken:
            self.broken = "an empty picture"
        self._file.close()

    def _decode(self, characters: bytes) -> None:
        if not characters:
            return
        if self._padded:
            self.broken = "base64 that goes on after its end"
            return
        try:
            data = pybase64.b64decode(characters, validate=True)
        except ValueError:
            self.broken = "not base64"
            return
        self._padded = characters.endswith(b"=")
        self.size += len(data)
        if self.size > self._most:
            self.broken = f"a picture above {self._most} bytes"
            return
        try:
            self._file.write(data)
        except OSError as error:
            self.broken = f"the picture could not be stored: {error.strerror}"

    def _without_prefix(self, characters: bytes) -> bytes:
        """Some gateways put `data:image/png;base64,` before it. Empty until it is known."""
        if b"data:".startswith(characters[:5]) and len(characters) < 5:
            self._carry = characters
            return b""
        if characters.startswith(b"data:"):
            head, comma, characters = characters.partition(b",")
            if not comma:
                self._carry = head[:256]
                return b""
        self._carry = b""
        self._started = True
        return characters


class AnswerReader:
    """Feed it chunks; `close` gives the JSON, in which each decoded `b64_json` is the number of its picture.

    `place(number)` names the file of a picture. Values that are empty stay empty strings, and those of more than
    `most_pictures` become empty: nobody asked for them, and each would take a file and its bytes on the disk.
    """

    def __init__(
        self,
        place: Callable[[int], Path],
        *,
        most_words: int = MOST_WORDS,
        most: int = MOST_PICTURE,
        most_pictures: int = MOST_PICTURES,
    ) -> None:
        self._place = place
        self._most_pictures = most_pictures
        self._most_words = most_words
        self._most = most
        self._words = bytearray()
        self._string = bytearray()
        self._state = self._between
        self._key = False
        self._picture: Base64File | None = None
        self.files: list[Path] = []
        self.pictures: list[Base64File] = []

    def feed(self, chunk: bytes) -> None:
        at = 0
        while at < len(chunk):
            at = self._state(chunk, at)
            if len(self._words) + len(self._string) > self._most_words:
                raise BrokenAnswer("an answer of too many words")

    def close(self) -> Any:
        """Raises `BrokenAnswer`."""
        if self._picture:
            self._picture.close()
            raise BrokenAnswer("an answer that ends within a picture")
        try:
            return json.loads(self._words + self._string)
        except (ValueError, RecursionError) as error:
            raise BrokenAnswer(f"not JSON: {error}") from error

    def decoded(self, value: str) -> tuple[Path, Base64File] | None:
        """The file of a `b64_json` that `close` gave; None where the value is none of ours."""
        for number, (file, picture) in enumerate(zip(self.files, self.pictures, strict=True)):
            if value == str(number):
                return file, picture
        return None

    def abandon(self) -> None:
        """Close what is open; for an answer that was cut."""
        if self._picture:
            self._picture.close()

    def _between(self, chunk: bytes, at: int) -> int:
        """Outside of strings, up to the next one; a picture starts where our key, a colon and a quote stand."""
        quote = chunk.find(b'"', at)
        piece = chunk[at:] if quote < 0 else chunk[at:quote]
        self._words += piece
        if quote < 0:
            self._state = self._between
            return len(chunk)
        is_value = self._key and self._words[-64:].rstrip().endswith(b":")
        self._key = False
        self._words += b'"'
        if is_value:
            self._state = self._first_of_value
        else:
            self._state = self._within_string
        return quote + 1

    def _within_string(self, chunk: bytes, at: int) -> int:
        """A key or any other short string, up to its closing quote; an escaped one does not close it."""
        quote = _closing(chunk, at, self._string)
        if quote < 0:
            self._string += chunk[at:]
            return len(chunk)
        self._string += chunk[at:quote]
        self._key = self._string == _KEY
        self._words += self._string + b'"'
        self._string.clear()
        self._state = self._between
        return quote + 1

    def _first_of_value(self, chunk: bytes, at: int) -> int:
        if chunk[at : at + 1] == b'"':
            self._words += b'"'
            self._state = self._between
            return at + 1
        if len(self.files) >= self._most_pictures:
            self._state = self._within_surplus
            return at
        path = self._place(len(self.files))
        self._picture = Base64File(path.open("wb"), self._most)
        self.pictures.append(self._picture)
        self.files.append(path)
        self._state = self._within_picture
        return at

    def _within_picture(self, chunk: bytes, at: int) -> int:
        assert self._picture
        quote = chunk.find(b'"', at)
        self._picture.feed(chunk[at:] if quote < 0 else chunk[at:quote])
        if quote < 0:
            return len(chunk)
        self._picture.close()
        self._picture = None
        self._words += str(len(self.files) - 1).encode() + b'"'
        self._state = self._between
        return quote + 1

    def _within_surplus(self, chunk: bytes, at: int) -> int:
        quote = chunk.find(b'"', at)
        if quote < 0:
            return len(chunk)
        self._words += b'"'
        self._state = self._between
        return quote + 1


def _closing(chunk: bytes, at: int, before: bytearray) -> int:
    """Where the string closes: the first quote that an even number of backslashes stands before; -1 for not here."""
    start = at
    while (quote := chunk.find(b'"', at)) >= 0:
        slashes = quote
        while slashes > start and chunk[slashes - 1] == 0x5C:
            slashes -= 1
        count = quote - slashes
        if slashes == start:
            count += len(before) - len(before.rstrip(b"\\"))
        if count % 2 == 0:
            return quote
        at = quote + 1
    return -1
