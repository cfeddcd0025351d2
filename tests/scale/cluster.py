"""A PostgreSQL server of a test's own, to be restarted and cut off; in a network of its own where it may make one.

It runs as a user who is not root, on its own port, and is gone with its folder afterwards.
"""

import asyncio
import ipaddress
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.storage.postgres import connected

LOOPBACK = "127.0.0.1"
BINARIES = ("/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt")


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """hosts: the addresses at which it listens."""

    folder: Path
    binaries: Path
    hosts: Sequence[str]
    port: int
    prefix: Sequence[str]

    def database(self) -> "Addresses":
        """A new one."""
        name = f"team_{secrets.token_hex(4)}"
        near = f"postgresql://postgres@/{{}}?host={self.folder}&port={self.port}"
        with connected(near.format("postgres")) as raw:
            raw.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload, unused-ignore]
        far = [f"postgresql://postgres@{host}:{self.port}/{name}" for host in self.hosts]
        return Addresses(near.format(name), *far)

    async def restart(self, mode: str) -> None:
        """mode: "fast" ends every connection, "immediate" is a crash after which it recovers."""
        process = await asyncio.create_subprocess_exec(*self._control("restart", "--mode", mode))
        assert await process.wait() == 0, (self.folder / "log").read_text()[-2000:]

    async def stop(self) -> None:
        process = await asyncio.create_subprocess_exec(*self._control("stop", "--mode", "immediate"))
        await process.wait()

    def _control(self, *arguments: str) -> list[str]:
        data, log = self.folder / "data", self.folder / "log"
        return [*self.prefix, str(self.binaries / "pg_ctl"), "--silent", f"--pgdata={data}", f"--log={log}", *arguments]

    def begin(self) -> None:
        data = self.folder / "data"
        # No test cuts the power; what was committed must be there after a crash of the server all the same.
        make = ("--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync", f"--pgdata={data}")
        _run(*self.prefix, str(self.binaries / "initdb"), *make)
        with (data / "postgresql.conf").open("a") as file:
            file.write(
                f"listen_addresses = '{', '.join(self.hosts)}'\nport = {self.port}\n"
                f"unix_socket_directories = '{self.folder}'\n"
                "fsync = off\nmax_connections = 200\nshared_buffers = 32MB\n"
            )
        with (data / "pg_hba.conf").open("a") as file:
            file.write("host all all samenet trust\n")
        _run(*self._control("start"))

    def finish(self) -> None:
        subprocess.run(self._control("stop", "--mode", "immediate"), check=False, capture_output=True, timeout=60)


@dataclass(frozen=True)
class Addresses:
    """Of one database: near, over a socket file, whatever is cut; far and aside, over two cables of the network."""

    near: str
    far: str
    aside: str = ""


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network namespace behind two cables: what is in it is reached at one address by each, until it is pulled."""

    name: str
    cables: Sequence[str]
    inside: Sequence[str]

    async def cut(self, number: int = 0) -> None:
        await self._set(number, "down")

    async def mend(self, number: int = 0) -> None:
        await self._set(number, "up")

    async def _set(self, number: int, state: str) -> None:
        end = f"{self.cables[number]}i"
        process = await asyncio.create_subprocess_exec("ip", "-n", self.name, "link", "set", end, state)
        assert await process.wait() == 0


@dataclass(frozen=True)
class Server:
    """network: None where the test may make none, and the server listens on loopback."""

    cluster: Cluster
    network: Network | None


def may_make_networks() -> bool:
    return os.geteuid() == 0 and shutil.which("ip") is not None


def lacking(what: str) -> None:
    """The test cannot run here; where everything must, it fails."""
    if os.environ.get("BOT_TEST_STRICT") == "1":
        pytest.fail(what)
    pytest.skip(what)


@contextmanager
def network() -> Iterator[Network]:
    word = secrets.token_hex(3)
    name, cables = f"seedream-{word}", [f"sd{word}{number}" for number in (0, 1)]
    inside = []
    _run("ip", "netns", "add", name)
    try:
        _run("ip", "-n", name, "link", "set", "lo", "up")
        for cable in cables:
            # 198.18.0.0/15 belongs to tests of networks, and to nobody else.
            first = int(ipaddress.ip_address("198.18.0.0")) + secrets.randbelow(2**15) * 4
            outer, inner = (str(ipaddress.ip_address(first + last)) for last in (1, 2))
            inside.append(inner)
            _run("ip", "link", "add", f"{cable}o", "type", "veth", "peer", "name", f"{cable}i", "netns", name)
            _run("ip", "address", "add", f"{outer}/30", "dev", f"{cable}o")
            _run("ip", "link", "set", f"{cable}o", "up")
            _run("ip", "-n", name, "address", "add", f"{inner}/30", "dev", f"{cable}i")
            _run("ip", "-n", name, "link", "set", f"{cable}i", "up")
        yield Network(name=name, cables=cables, inside=inside)
    finally:
        _run("ip", "netns", "del", name)  # and with it both ends of the cables


@contextmanager
def cluster(behind: Network | None = None) -> Iterator[Cluster]:
    """A new server, empty and running. Skips, or fails where nothing may be skipped, without PostgreSQL's programs."""
    binaries = _binaries()
    if binaries is None:
        lacking("no initdb: PostgreSQL's server is not installed")
        raise AssertionError("unreachable")
    folder = Path(tempfile.mkdtemp(prefix="seedream-cluster-"))  # not below pytest's, where its user may not look
    prefix: list[str] = []
    if behind is not None:
        prefix += ["ip", "netns", "exec", behind.name]
    if os.geteuid() == 0:
        user = _user()
        os.chown(folder, user.pw_uid, user.pw_gid)
        prefix += ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    made = Cluster(
        folder=folder,
        binaries=binaries,
        hosts=behind.inside if behind else (LOOPBACK,),
        port=_free_port(),
        prefix=prefix,
    )
    try:
        made.begin()
        yield made
    finally:
        made.finish()
        shutil.rmtree(folder)


def _binaries() -> Path | None:
    """Where PostgreSQL's own programs lie; Debian puts only some of them into the path."""
    if found := shutil.which("pg_ctl"):
        return Path(found).resolve().parent
    kept = sorted(one for place in BINARIES for one in Path(place).glob("*/bin/pg_ctl"))
    return kept[-1].parent if kept else None


def _user() -> pwd.struct_passwd:
    """PostgreSQL does not run as root."""
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        return int(taken.getsockname()[1])


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, cwd="/")
    assert done.returncode == 0, f"{command}: {done.stdout[-1000:]}{done.stderr[-1000:]}"
