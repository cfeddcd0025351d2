"""What is certain about a request that failed: it never left, or nobody knows."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest

from bot.errors import OutcomeUnknown, ProviderBusy, ProviderError
from bot.providers.transport import Transport, split_request_id, tidy_id

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def body() -> AsyncIterator[bytes]:
    yield b'{"prompt": "x"}'


async def post(url: str, *, seconds: float = 5, connect: float = 5) -> bytes | ProviderError:
    async with Transport(connect_seconds=connect) as transport:
        try:
            async with transport.post(url, headers={}, body=body(), size=15, seconds=seconds) as answer:
                return b"".join([chunk async for chunk in answer.chunks()])
        except ProviderError as error:
            return error


async def against(serve: Serve, scheme: str = "http", **wanted: float) -> tuple[bytes | ProviderError, int]:
    connections = 0
    served = asyncio.Event()

    async def serving(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        try:
            await serve(reader, writer)
        finally:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()
            served.set()

    server = await asyncio.start_server(serving, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        result = await post(f"{scheme}://127.0.0.1:{port}/", **wanted)
        await served.wait()
        return result, connections


async def request_of(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(15)


async def test_a_refused_connection_was_certainly_not_accepted() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]

    assert isinstance(await post(f"http://127.0.0.1:{port}/"), ProviderBusy)


async def test_an_unknown_name_was_certainly_not_accepted() -> None:
    assert isinstance(await post("http://name.invalid/"), ProviderBusy)


async def test_a_connection_that_takes_too_long_was_certainly_not_accepted() -> None:
    # A full backlog: the kernel leaves further handshakes unanswered.
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        try:
            result = await post(f"http://127.0.0.1:{full.getsockname()[1]}/", connect=0.2)
        finally:
            for filler in fillers:
                filler.close()

    assert isinstance(result, ProviderBusy)


async def test_a_failed_handshake_was_certainly_not_accepted() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 this is not TLS\r\n\r\n")
        await writer.drain()

    result, _ = await against(plain, "https")

    assert isinstance(result, ProviderBusy)


async def test_a_connection_closed_after_the_request_is_unknown_and_not_repeated() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)

    result, connections = await against(serve)

    assert isinstance(result, OutcomeUnknown)
    assert connections == 1


async def test_a_connection_closed_at_once_is_unknown() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)

    result, connections = await against(serve)

    assert isinstance(result, OutcomeUnknown)
    assert connections == 1


async def test_silence_is_unknown() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        await reader.read()

    result, connections = await against(serve, seconds=0.2)

    assert isinstance(result, OutcomeUnknown)
    assert connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"not HTTP at all\r\n\r\n",
    ],
)
async def test_a_cut_answer_is_unknown(answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    result, connections = await against(serve)

    assert isinstance(result, OutcomeUnknown)
    assert connections == 1


async def test_an_answer_that_stalls_is_unknown() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
        await reader.read()

    result, _ = await against(serve, seconds=0.3)

    assert isinstance(result, OutcomeUnknown)


async def test_the_request_says_its_length_and_wants_nothing_compressed() -> None:
    seen = b""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        seen = await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    result, _ = await against(serve)

    assert result == b"ok"
    assert b"Content-Length: 15\r\n" in seen
    assert b"Accept-Encoding: identity\r\n" in seen
    assert b"chunked" not in seen


@pytest.mark.parametrize(
    ("message", "words", "request_id"),
    [
        ("No such size. Request id: 0217abc", "No such size", "0217abc"),
        ("No such size. Request ID: 0217abc", "No such size", "0217abc"),
        ("无效的令牌 (request id: 2024-x)", "无效的令牌", "2024-x"),
        ("Nothing here", "Nothing here", ""),
    ],
)
def test_the_request_id_stands_at_the_end_of_a_message(message: str, words: str, request_id: str) -> None:
    assert split_request_id(message) == (words, request_id)


@pytest.mark.parametrize(
    ("said", "kept"),
    [("0217ab-c_d.e", "0217ab-c_d.e"), ("a\x1b[2J b\n<é>", "a2Jb"), ("x" * 10_000, "x" * 80), ("", "")],
)
def test_a_request_id_is_short_and_plain(said: str, kept: str) -> None:
    assert tidy_id(said) == kept
