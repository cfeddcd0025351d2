"""What the page answers to what it is sent, right and wrong."""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

import adapters.web
from adapters.web import words
from bot.chat import AccountLine, Button, Picture, Place, Post, Reply
from bot.i18n import Text, say, text, verbatim
from tests.adapters.web.fake_core import FakeCore, core_with_page, serving

VENDORED = {"htmx-4.0.1.min.js": "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130"}
JSON = {"Content-Type": "application/json"}
PROBE = """</p><img src=x onerror=alert(1)>'"&{{'boo'*3}}{% raw %}"""


def message(**changes: Any) -> dict[str, Any]:
    return {"id": "p" * 20, "person": "alice", "room": "design-team", "words": "a fox", **changes}


async def test_a_message_is_taken_and_answered_with_its_id(core: FakeCore, client: aiohttp.ClientSession) -> None:
    async with client.post("/messages", json=message()) as response:
        assert await response.json() == {"id": "p" * 20}
    assert [invocation.line for invocation in core.accepted] == ["a fox"]


@pytest.mark.parametrize(
    "sent",
    [
        message(id="short"),
        message(id="../" * 8),
        message(id=None),
        message(words=7),
        message(unknown=1),
        message(press="again; drop"),
        message(press="a" * 101),
        message(values={"prompt": 7}),
        message(words="   "),
        [],
        "text",
    ],
)
async def test_what_the_page_would_never_send_is_refused(
    core: FakeCore, client: aiohttp.ClientSession, sent: object
) -> None:
    async with client.post("/messages", json=sent) as response:
        assert response.status == 400
        assert (await response.json())["error"]
    assert core.accepted == []


async def test_too_many_words_are_refused_with_the_limit(client: aiohttp.ClientSession) -> None:
    async with client.post("/messages", json=message(words="x" * 20_001)) as response:
        assert (await response.json())["error"] == "This is longer than 20000 characters."
    async with client.post("/messages", data=io.BytesIO(b"x" * 2**21), headers=JSON) as response:
        assert response.status == 400


async def test_who_or_what_is_not_there_cannot_be_looked_at(client: aiohttp.ClientSession) -> None:
    async with client.get("/?as=mallory") as response:
        assert response.status == 404
        assert await response.text() == "Nobody is called that here.\n"
    async with client.get("/?as=alice&room=attic") as response:
        assert response.status == 404
        assert await response.text() == "There is no such room.\n"


@pytest.mark.parametrize(
    ("sent", "wrong"),
    [
        (message(person="mallory"), words.NO_SUCH_PERSON),
        (message(person=""), words.NO_SUCH_PERSON),
        (message(person="mallory", room="attic"), words.NO_SUCH_PERSON),
        (message(person="mallory", room="direct"), words.NO_SUCH_PERSON),
        (message(person="mallory", reply_to="m1"), words.NO_SUCH_PERSON),
        (message(room="attic"), words.NO_SUCH_ROOM),
        (message(room="direct:bob"), words.NO_SUCH_ROOM),
        (message(room=""), words.NO_SUCH_ROOM),
        (message(room="attic", reply_to="m1"), words.NO_SUCH_ROOM),
    ],
)
@pytest.mark.parametrize("language", ["en", "zh-CN"])
async def test_what_is_said_as_nobody_or_in_no_room_is_refused_with_what_is_wrong(
    core: FakeCore, client: aiohttp.ClientSession, sent: dict[str, Any], wrong: Text, language: str
) -> None:
    cookie = {"Cookie": f"seedream-language={language}"}
    async with client.post("/messages", json=sent, headers=cookie) as response:
        assert response.status == 404
        assert await response.json() == {"error": say(wrong, language)}
    assert core.accepted == []


async def test_a_reply_to_what_one_may_not_see_is_refused_as_to_what_is_gone(
    core: FakeCore, client: aiohttp.ClientSession
) -> None:
    place = Place(adapter="web", data={"room": "design-team", "person": "bob"})
    private = await core.chat.post(Post(key="k1", place=place, reply=Reply(text=text("for bob"), private=True)))
    async with client.post("/messages", json=message(reply_to=private)) as response:
        assert response.status == 404
        assert await response.json() == {"error": "The message that you reply to is no longer there."}
    assert core.accepted == []


@pytest.mark.parametrize("sent", [{"fault": "busy"}, {"clock": "day"}])
async def test_switches_are_for_admins(core: FakeCore, client: aiohttp.ClientSession, sent: dict[str, str]) -> None:
    async with client.post("/switches?as=bob", data=sent) as response:
        assert response.status == 403
    before = core.controls.now()
    assert core.controls.fault == "none"

    async with client.post("/switches?as=alice", data=sent) as response:
        assert response.status == 200
    assert (core.controls.fault == "busy") != (core.controls.now() > before)


@pytest.mark.parametrize("sent", [{"fault": "explode"}, {"clock": "1999"}, {}, {"fault": "busy", "clock": "day"}])
async def test_a_switch_that_does_not_exist_is_refused(
    core: FakeCore, client: aiohttp.ClientSession, sent: dict[str, str]
) -> None:
    async with client.post("/switches?as=alice", data=sent) as response:
        assert response.status == 400


async def test_without_switches_there_are_none_and_no_talk_of_placeholders(tmp_path: Path) -> None:
    async with (
        core_with_page(tmp_path, controls=None, line=None) as core,
        serving(core.chat) as address,
        aiohttp.ClientSession(address) as session,
    ):
        async with session.get("/?as=alice") as response:
            page = await response.text()
        async with session.post("/switches?as=alice", data={"fault": "busy"}) as response:
            assert response.status == 403

    assert "placeholders" not in page
    assert 'id="switches"' not in page


async def test_nothing_that_people_or_the_core_say_becomes_markup(
    core: FakeCore, client: aiohttp.ClientSession
) -> None:
    picture = Picture(
        generation="k3f9", index=0, blob="ab" * 32, media_type="image/png", width=4, height=3, size=9, alt=PROBE
    )
    account = AccountLine(name=verbatim(PROBE), unit="usd", window="day", used=1, held=0, limit=9, resets=None)
    reply = Reply(
        text=text("{words}", words=PROBE),
        prompt=PROBE,
        notes=(verbatim(PROBE),),
        rows=((verbatim(PROBE), verbatim(PROBE)),),
        pictures=(picture, picture),
        buttons=(Button(command="edit", generation="k3f9", label=verbatim(PROBE), asks=verbatim(PROBE), picks=True),),
        accounts=(account,),
        generation="k3f9",
        state="settled",
    )
    asked = await core.chat.say("bob", "marketing", f"/nonsense {PROBE}")
    place = Place(adapter="web", data={"room": "marketing", "person": "bob", "reply_to": asked})
    answer = await core.chat.post(Post(key="k1", place=place, reply=reply))
    await core.chat.say("bob", "marketing", "", press="edit:k3f9:0", values={"prompt": PROBE}, reply_to=answer)
    async with client.get("/?as=alice&room=marketing") as response:
        page = await response.text()

    assert page.count("&lt;img src=x") >= 12
    assert "<img src=x" not in page
    assert "boobooboo" not in page


async def test_words_are_said_in_the_readers_language_zone_and_colours(
    core: FakeCore, client: aiohttp.ClientSession
) -> None:
    place = Place(adapter="web", data={"room": "design-team", "person": "alice"})
    await core.chat.post(Post(key="k1", place=place, reply=Reply(text=text("At {time}.", time=core.controls.now()))))
    cookies = "seedream-zone=Asia%2FShanghai; seedream-theme=dark; seedream-language=zh-CN"
    async with client.get("/?as=alice", headers={"Cookie": cookies}) as response:
        page = await response.text()

    assert "At 2026-11-21 17:30 Asia/Shanghai." in page
    assert '<html lang="zh-CN" data-theme="dark">' in page


@pytest.mark.parametrize("cookie", ["seedream-zone=../../etc/passwd", "seedream-zone=%00", "seedream-theme=x%22y"])
async def test_a_strange_cookie_changes_nothing(client: aiohttp.ClientSession, cookie: str) -> None:
    async with client.get("/?as=alice", headers={"Cookie": cookie}) as response:
        assert response.status == 200
        assert '<html lang="en">' in await response.text()


async def test_earlier_messages_come_before_a_number(core: FakeCore, client: aiohttp.ClientSession) -> None:
    for number in range(45):
        await core.chat.say("bob", "marketing", f"/nothing {number}.")
    async with client.get("/messages?as=alice&room=marketing&before=6") as response:
        fragment = await response.text()
    async with client.get("/messages?as=alice&room=marketing&before=1%20OR%201") as response:
        assert response.status == 400

    assert "Show earlier" not in fragment
    assert "</b> 0.</p>" in fragment


async def test_the_menu_knows_every_listed_command(core: FakeCore, client: aiohttp.ClientSession) -> None:
    async with client.get("/?as=alice") as response:
        page = await response.text()
    data = page.split('data-page="')[1].split('"')[0].replace("&#34;", '"').replace("&#39;", "'").replace("&amp;", "&")

    commands = json.loads(data)["commands"]
    assert [command["name"] for command in commands] == [command.name for command in core.table.listed]
    ratio = next(option for option in commands[0]["options"] if option["name"] == "ratio")
    assert ratio["values"] == ["1:1", "16:9", "9:16"]


async def test_no_room_is_empty_when_it_is_first_seen(core: FakeCore, client: aiohttp.ClientSession) -> None:
    for _ in range(2):
        async with client.get("/?as=bob&room=direct") as response:
            page = await response.text()

        assert page.count("Hello!") == 1
        assert page.count("data-say=") == 2


async def test_scripts_are_asked_for_each_time_but_not_sent_again(client: aiohttp.ClientSession) -> None:
    async with client.get("/static/page.js") as response:
        assert response.headers["Cache-Control"] == "no-cache"
        unchanged = {"If-None-Match": response.headers["ETag"]}
    async with client.get("/static/page.js", headers=unchanged) as response:
        assert response.status == 304


@pytest.mark.parametrize(("name", "digest"), VENDORED.items())
def test_vendored_code_is_the_published_one_with_its_licence(name: str, digest: str) -> None:
    folder = Path(str(adapters.web.__file__)).parent / "static" / "vendor"

    assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert "Zero-Clause BSD" in (folder / name.replace(".min.js", ".LICENSE")).read_text()
