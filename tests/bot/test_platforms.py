"""Chat platforms beside the page: what is set of them, when they are connected, and that none stops the others."""

import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import aiohttp
import pytest
import structlog

from bot import cli
from bot.app import running
from bot.chat import Actor, Hook, Invocation, Place, Post, Tone
from bot.errors import CannotStart
from bot.generation import outbox
from bot.ops import logs, serving
from bot.settings import Settings, SettingsError, load
from bot.storage.database import Database
from tests.bot.generation.core import Core
from tests.fakes import NOON, FakeAdapter

TOKEN = "canary-token"


@dataclass
class Platform(FakeAdapter):
    """A platform with a connection; `happened` tells when it was opened and closed, and what was posted meanwhile."""

    name: str = "discord"
    problem: Exception | None = None
    given: dict[str, Any] = field(default_factory=dict)
    happened: list[str] = field(default_factory=list)
    hook: Hook | None = None
    alone: Mapping[str, bool] = field(default_factory=dict)
    told: str = ""

    def trouble(self) -> str:
        return self.told

    def connect(self, **given: Any) -> Self:
        self.given = given
        return self

    async def __aenter__(self) -> Self:
        if self.problem:
            raise self.problem
        self.happened.append("entered")
        return self

    async def __aexit__(self, *_: object) -> None:
        self.happened.append("left")

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        self.happened.append("listening")
        yield
        self.happened.append("deaf")

    async def post(self, post: Post) -> str:
        self.happened.append("posted")
        return await super().post(post)


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Platform:
    """What is found under the platform's name instead of its adapter."""
    platform = Platform()
    module = ModuleType("adapters.discord.connect")
    monkeypatch.setattr(module, "connect", platform.connect, raising=False)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return platform


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Settings]:
    def make(**more: Any) -> Settings:
        discord = {"token": TOKEN, "guilds": ["42"]}
        own = {"data_dir": tmp_path / "data", "providers": ["sandbox"], "web": {"port": 0}, "discord": discord}
        return Settings(**{**own, **more})

    return make


def invocation(line: str, *, id: str = "discord:1", user: str = "bob") -> Invocation:
    return Invocation(
        id=id,
        actor=Actor(adapter="discord", user=user, name=user, space="7"),
        place=Place(adapter="discord", room="42"),
        received=NOON,
        line=line,
    )


def test_a_platform_is_on_when_its_token_is_set(settings: Callable[..., Settings]) -> None:
    assert Settings().platforms == {}
    assert settings(discord={"token": " "}).platforms == {}
    assert settings().platforms == {
        "discord": {
            "token": TOKEN,
            "proxy": None,
            "guilds": ("42",),
            "message_content": False,
            "threads": False,
            "shards": "",
        }
    }


@pytest.mark.parametrize(
    ("feishu", "missing"),
    [
        ({}, {}),
        ({"app_id": "cli_1"}, {"feishu": "BOT_FEISHU__APP_SECRET"}),
        ({"app_secret": "s"}, {"feishu": "BOT_FEISHU__APP_ID"}),
        ({"app_id": "cli_1", "app_secret": "s"}, {}),
    ],
)
def test_a_setting_that_is_forgotten_is_named(feishu: dict[str, str], missing: dict[str, str]) -> None:
    settings = Settings(feishu=feishu)

    assert settings.half_set == missing
    assert ("feishu" in settings.platforms) == (len(feishu) == 2)


def test_its_secrets_are_in_no_repr(settings: Callable[..., Settings]) -> None:
    assert TOKEN not in repr(settings())
    assert "password" not in repr(settings(discord={"proxy": "http://bob:password@proxy.example"}))


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("BOT_DISCORD__GUILDS", '["my server"]', "BOT_DISCORD__GUILDS names my server, which is no server's id"),
        ("BOT_DISCORD__PROXY", "proxy.example", "BOT_DISCORD__PROXY must be an address"),
        ("BOT_DISCORD__TOKEM", "x", "BOT_DISCORD__TOKEN"),
        ("BOT_FEISHU__APP_ID", "my app", "BOT_FEISHU__APP_ID must be an app's id"),
        ("BOT_FEISHU__DOMAIN", "http://open.feishu.cn", "BOT_FEISHU__DOMAIN must begin with https://"),
        ("BOT_FEISHU__OLDEST", "0s", "BOT_FEISHU__OLDEST must be at least"),
    ],
)
def test_what_cannot_be_meant_is_said(
    name: str, value: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError, match=told):
        load()


async def test_a_platform_is_heard_while_the_bot_runs_and_can_be_answered_until_its_end(
    platform: Platform, settings: Callable[..., Settings]
) -> None:
    async with running(settings()) as app:
        assert platform.given["token"] == TOKEN
        assert platform.given["guilds"] == ("42",)
        assert await app.dispatcher.accept(invocation("/imagine a fox"), {"event": "1"})
        await platform.until(lambda: any(each.reply.state == "settled" for each in platform.shown))

    assert platform.happened[:2] == ["entered", "listening"]
    assert platform.happened[-2:] == ["deaf", "left"]
    assert "posted" in platform.happened


async def test_what_a_platform_sends_by_itself_is_handed_to_it_and_its_answer_back(
    platform: Platform, settings: Callable[..., Settings]
) -> None:
    async def hook(headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, Any]]:
        return 202, {"signature": headers["X-Signature"], "body": body.decode()}

    platform.hook = hook
    async with running(settings()) as app, aiohttp.ClientSession() as http:
        assert app.listener is not None
        address = f"{app.listener.url}/hooks/discord"
        async with http.post(address, data=b"called", headers={"x-signature": "s"}) as answer:
            assert (answer.status, await answer.json()) == (202, {"signature": "s", "body": "called"})


async def test_what_keeps_a_platform_from_hearing_is_told_to_watchers(
    platform: Platform, settings: Callable[..., Settings]
) -> None:
    platform.told = "its secret is no longer good"
    async with running(settings()) as app, aiohttp.ClientSession() as http:
        assert app.listener is not None
        async with http.get(f"{app.listener.url}/readyz") as answer:
            problems = (await answer.json())["problems"]

    assert answer.status == 503
    assert "discord: its secret is no longer good" in problems


async def test_what_is_accepted_last_is_still_posted(platform: Platform, settings: Callable[..., Settings]) -> None:
    async with running(settings()) as app:
        await app.dispatcher.accept(invocation("/quota"), {"event": "1"})

    assert platform.happened == ["entered", "listening", "deaf", "posted", "left"]


async def test_a_platform_that_cannot_start_keeps_nothing_else_from_running(
    platform: Platform, settings: Callable[..., Settings]
) -> None:
    platform.problem = CannotStart("the token is not accepted")
    with structlog.testing.capture_logs() as lines:
        async with running(settings()) as app:
            await app.chat.say(app.chat.people[0].name, app.chat.shared_room, "/quota")

    (told,) = [line for line in lines if line["event"] == "a platform is left out"]
    assert (told["platform"], told["reason"]) == ("discord", "the token is not accepted")
    assert platform.happened == []


@pytest.mark.parametrize("how", [{"listen": False}, {"for_demo": True}])
async def test_a_terminal_or_a_demonstration_connects_to_nobody(
    platform: Platform, settings: Callable[..., Settings], how: dict[str, bool]
) -> None:
    async with running(settings(), **how):
        pass

    assert (platform.given, platform.happened) == ({}, [])


async def test_people_that_the_operator_lists_are_admins_on_their_platform(
    platform: Platform, settings: Callable[..., Settings]
) -> None:
    async with running(settings(admins=["discord/ann", "root"])) as app:
        assert [each.name for each in app.chat.people] == ["root"]
        answers = []
        for user in ("ann", "root"):
            asked = invocation("/admin", id=f"discord:{user}", user=user)
            await app.dispatcher.accept(asked, {})
            answers.append(await app.dispatcher.outcome(asked.id))

    assert [getattr(each, "tone", None) for each in answers] == [Tone.ANSWER, Tone.REFUSAL]


async def test_rules_and_preferences_are_known_from_the_start(
    platform: Platform, settings: Callable[..., Settings]
) -> None:
    setting = invocation("/settings --private yes")
    admin = invocation("/admin space size 4K", id="discord:2", user="ann")
    async with running(settings(admins=["discord/ann"])) as app:
        for asked in (setting, admin):
            await app.dispatcher.accept(asked, {})
            await app.dispatcher.outcome(asked.id)
    async with running(settings()) as app:
        assert app.dispatcher.is_private(invocation("a fox"))
        assert app.dispatcher.spaces.of("discord/7").size == "4K"


async def test_what_a_platform_shall_show_waits_until_it_is_on_again(core: Core, database: Database) -> None:
    generation = (await core.run()).id
    assert await database.read(outbox.due, "another") == []
    assert await database.read(outbox.due, "fake") == [outbox.own_key(generation)]

    core.delivery.adapters = {}
    async with core.delivery:
        pass
    (row,) = await database.fetch("SELECT state, tries FROM postings")

    assert (row["state"], row["tries"]) == ("to post", 0)


@pytest.mark.parametrize(
    ("role", "token", "wrong"),
    [
        ("gateway", TOKEN, ""),
        ("all", TOKEN, ""),
        ("worker", TOKEN, "a gateway, or one that does everything"),
        ("web", TOKEN, "a gateway, or one that does everything"),
        ("gateway", "", "BOT_DISCORD__TOKEN is not set"),
    ],
)
def test_shards_are_typed_where_they_mean_something(
    role: str,
    token: str,
    wrong: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def serve(settings: Settings, **_: object) -> int:
        print("it runs", settings.discord.shards)  # noqa: T201
        return 0

    monkeypatch.setattr(serving, "run", serve)
    monkeypatch.setattr(logs, "configure", lambda *_: None)  # that of the tests stays
    monkeypatch.setenv("BOT_DATABASE_URL", "postgresql://127.0.0.1/nowhere")
    if token:
        monkeypatch.setenv("BOT_DISCORD__TOKEN", token)
    with pytest.raises(SystemExit) as left:
        cli.app(["run", "--role", role, "--shards", "0-1/4", "--data-dir", str(tmp_path)])

    said = capsys.readouterr()
    assert (left.value.code, bool(said.err)) == ((1, True) if wrong else (0, False))
    assert wrong in said.err
    assert said.out == ("" if wrong else "it runs 0-1/4\n")
