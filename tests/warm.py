"""Starts of the bot that find its modules imported: forked from a process that has them and does nothing else.

Imports are four fifths of what a start costs. A process that is made here is one of its own in every other respect: its
id, its memory, its environment, what it opens and how it ends. Starts from nothing are what tests/bot/ops is about.
"""

import asyncio
import gc
import json
import os
import runpy
import signal
import subprocess
import sys
import time
import warnings
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from socket import AF_UNIX, SOCK_SEQPACKET, recv_fds, send_fds, socket, socketpair
from typing import IO, Any

ROOT = Path(__file__).parents[1]
IMPORTED = (
    "bot.cli",
    "bot.ops.serving",
    "bot.generation.engine",
    "bot.providers.sandbox.drawing",
    "adapters.discord.connect",
    "adapters.feishu.connect",
    "adapters.web.connect",
    "alembic.command",
    "sqlalchemy.dialects.sqlite",
)
MOST = 1 << 18  # bytes of arguments and environment


class Process:
    """As much of `asyncio.subprocess.Process` as the tests need."""

    def __init__(
        self, pid: int, told: socket, stdout: asyncio.StreamReader | None, stderr: asyncio.StreamReader | None
    ) -> None:
        self.pid = pid
        self.stdout = stdout
        self.stderr = stderr
        self.returncode: int | None = None
        self._told = told
        self._end = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(told, self._ended)

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    async def wait(self) -> int:
        await self._end.wait()
        assert self.returncode is not None
        return self.returncode

    async def communicate(self) -> tuple[bytes, bytes]:
        out, err = await asyncio.gather(_all(self.stdout), _all(self.stderr))
        await self.wait()
        return out, err

    def _ended(self) -> None:
        self._loop.remove_reader(self._told)
        with self._told:
            self.returncode = int(self._told.recv(100))
        self._end.set()


async def start_python(
    *arguments: str,
    env: Mapping[str, str],
    cwd: Path,
    stdout: int | IO[bytes],
    stderr: int | IO[bytes],
) -> Process | asyncio.subprocess.Process:
    """As `asyncio.create_subprocess_exec(sys.executable, ...)` of `-m MODULE ...` or of a file, but warm."""
    if sys.platform != "linux":
        return await asyncio.create_subprocess_exec(
            sys.executable, *arguments, env=env, cwd=cwd, stdout=stdout, stderr=stderr
        )
    asked = json.dumps({"arguments": arguments, "env": dict(env), "cwd": str(cwd)}).encode()
    told, theirs = socketpair(AF_UNIX, SOCK_SEQPACKET)
    told.setblocking(False)
    out, out_end = await _stream(stdout)
    err, err_end = await _stream(stderr) if stderr != STDOUT else (None, os.dup(out_end))
    send_fds(_forks()[0], [asked], [theirs.fileno(), out_end, err_end])
    theirs.close()
    os.close(out_end)
    os.close(err_end)
    pid = await asyncio.get_running_loop().sock_recv(told, 100)
    return Process(int(pid), told, out, err)


async def _stream(where: int | IO[bytes]) -> tuple[asyncio.StreamReader | None, int]:
    """What can be read here, and the end for another process."""
    if not isinstance(where, int):
        return None, os.dup(where.fileno())
    if where == DEVNULL:
        return None, os.open(os.devnull, os.O_WRONLY)
    assert where == PIPE
    ours, theirs = os.pipe()
    stream = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(ours, "rb", 0)
    )
    return stream, theirs


async def _all(stream: asyncio.StreamReader | None) -> bytes:
    return await stream.read() if stream else b""


@cache
def _forks() -> tuple[socket, subprocess.Popen[bytes]]:
    """The way to the process that forks, and itself; it ends with this one."""
    ours, theirs = socketpair(AF_UNIX, SOCK_SEQPACKET)
    astray = ("BOT_", "COV_", "COVERAGE_", "PYTHONDONTWRITEBYTECODE")
    env = {name: value for name, value in os.environ.items() if not name.startswith(astray)}
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.warm", str(theirs.fileno())],
            env={**env, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,  # Ctrl-C is for whoever leaves its blocks
        )
    return ours, process


def main() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in IMPORTED:
            import_module(name)
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait
    requests = socket(fileno=int(sys.argv[1]))
    while True:
        asked, ends, _, _ = recv_fds(requests, MOST, 3)
        if not asked:
            break
        if os.fork() == 0:
            requests.close()
            _wait(json.loads(asked), *ends)
            break
        for end in ends:
            os.close(end)


def _wait(asked: dict[str, Any], told: int, out: int, err: int) -> None:
    """Tell of another one how it is called and, in the end, how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        os.close(told)
        _become(asked, out, err)
        return
    os.close(out)
    os.close(err)
    os.write(told, str(pid).encode())
    _, status = os.waitpid(pid, 0)
    os.write(told, str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _become(asked: dict[str, Any], out: int, err: int) -> None:
    for end, place in ((out, 1), (err, 2)):
        os.dup2(end, place)
        os.close(end)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    time.tzset()
    if os.environ.get("PYTHONWARNINGS") == "ignore":
        warnings.simplefilter("ignore")
    if file := os.environ.get("SSL_CERT_FILE"):
        # Whom it trusts was read at import.
        import_module("aiohttp.connector")._SSL_CONTEXT_VERIFIED.load_verify_locations(file)
    first, *rest = asked["arguments"]
    if first == "-m":
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = [first, *rest]
        runpy.run_path(first, run_name="__main__")


if __name__ == "__main__":
    main()
