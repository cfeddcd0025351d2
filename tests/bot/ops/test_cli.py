"""The command line in real processes: beside a running bot and alone, well asked and badly."""

import json
import re
import sqlite3
import stat
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bot.ops.processes import Desk, Owner
from tests.fakes import painted

pytestmark = pytest.mark.slow  # real processes, one after the other


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A data folder that a demonstration made and owns."""
    return Desk(tmp_path_factory.mktemp("demo"), {})


@pytest.fixture(scope="module", autouse=True)
def owner(demo: Desk) -> Iterator[Owner]:
    with demo.running("demo", "--no-open") as owner:
        yield owner


@pytest.fixture
def alone(tmp_path: Path) -> Desk:
    """A data folder that nobody owns."""
    return Desk(tmp_path, {})


# --- send, through the process that owns the folder


def test_a_picture_is_drawn_saved_edited_and_deleted(demo: Desk, tmp_path: Path) -> None:
    drawn = demo.send("/imagine a red fox --count 2", "--as", "bob", "--save", str(tmp_path / "saved"))

    assert (drawn["state"], drawn["error"]) == ("settled", None)
    assert [Path(each).read_bytes()[:3] for each in drawn["images"]] == [b"\xff\xd8\xff"] * 2
    assert {Path(each).parent for each in drawn["images"]} == {tmp_path / "saved"}
    assert {button["id"].partition(":")[0] for button in drawn["buttons"]} >= {"again", "vary", "edit", "delete"}
    name = drawn["generation"]

    edited = demo.send("make it night", "--reply-to", f"{name}:1", "--as", "bob")
    assert edited["text"].startswith("Edited")
    details = demo.send("--press", f"details:{edited['generation']}:0", "--as", "bob")
    assert f"{name}:1" in details["text"]
    deleted = demo.send("--press", f"delete:{name}:0", "--as", "bob")
    assert "deleted" in deleted["text"]
    assert demo.send("words", "--reply-to", name, "--as", "bob", code=2)["error"]


@pytest.mark.slow
def test_attached_pictures_are_edited(demo: Desk, tmp_path: Path) -> None:
    files = []
    for number in range(2):
        file = tmp_path / f"holiday {number}.png"
        file.write_bytes(painted(str(number), 320, 200))
        files += ["--attach", str(file)]

    made = demo.send("/blend both of them", "--as", "bob", *files)
    assert made["text"].startswith("Blended")
    details = demo.send("--press", f"details:{made['generation']}:0", "--as", "bob")
    assert "Pictures given: 2" in details["text"]


@pytest.mark.slow
def test_a_question_waits_and_yes_answers_it(demo: Desk) -> None:
    asked = demo.send("/imagine a fox --count 4", "--as", "bob", code=3)
    assert (asked["state"], asked["images"]) == ("asked", [])
    name = asked["generation"]
    assert [button["id"] for button in asked["buttons"]] == [f"go:{name}:0", f"decline:{name}:0"]

    drawn = demo.send("/series a day --count 5", "--yes", "--as", "bob")
    assert (drawn["state"], len(drawn["images"])) == ("settled", 5)


@pytest.mark.slow
def test_what_is_no_question_of_price_is_answered_by_its_button_alone(demo: Desk) -> None:
    code = demo.send("/link", "--as", "alice")["text"].split()[2].rstrip(".")
    asked = demo.send(f"/link {code}", "--yes", "--as", "bob", code=3)
    assert "joins your account with “alice” (web)" in asked["text"]
    linked = demo.send("--press", asked["buttons"][0]["id"], "--as", "bob")
    assert "2 accounts are yours now" in linked["text"]
    forget = demo.send("/forget me", "--yes", "--as", "bob", code=3)
    assert "Nothing was changed" in demo.send("--press", forget["buttons"][1]["id"], "--as", "bob")["text"]
    assert "stands alone again" in demo.send("/unlink", "--as", "bob")["text"]


@pytest.mark.parametrize(
    ("words", "code", "state"),
    [
        (("/imagine a fox --size 9K",), 2, ""),
        pytest.param(("/imagine a fox", "--as", "carol"), 2, "", marks=pytest.mark.slow),
        (("/imagine a fox sandbox:refuse",), 2, "refused"),
        (("/imagine a fox sandbox:cut-answer",), 1, "unknown"),
        (("make it night", "--reply-to", "zzzzzzzz"), 2, ""),
        pytest.param(("make it night", "--reply-to", "no such handle"), 2, "", marks=pytest.mark.slow),
        pytest.param(("--press", "vary:zzzzzzzz:0"), 2, "", marks=pytest.mark.slow),
        pytest.param(("--press", "nonsense"), 2, "", marks=pytest.mark.slow),
    ],
    ids=lambda value: " ".join(value)[-40:] if isinstance(value, tuple) else "",
)
def test_the_exit_code_says_how_it_went(demo: Desk, words: tuple[str, ...], code: int, state: str) -> None:
    told = demo.send(*words, code=code)

    assert told["state"] == state
    assert told["error"]
    assert told["images"] == []


@pytest.mark.slow
def test_carol_has_nothing_left_and_reads_why(demo: Desk) -> None:
    told = demo.send("/imagine a fox", "--as", "carol", code=2)

    month = next(line for line in told["accounts"] if (line["unit"], line["window"]) == ("images", "month"))
    assert (month["used"], month["left"]) == (5, 0)
    assert month["resets"][:7] in told["error"] or month["resets"]
    assert set(month) >= {"name", "unit", "used", "held", "left", "resets"}


@pytest.mark.slow
def test_for_people_it_is_text(demo: Desk) -> None:
    done = demo.run("send", "/quota", "--as", "bob")

    assert done.code == 0
    assert "left" in done.out
    assert done.err == ""


# --- beside the process that owns the folder


def test_everything_else_works_beside_it(demo: Desk, owner: Owner) -> None:
    doctor, ledger, health, version, migrate = demo.all(
        [("doctor",), ("ledger", "verify"), ("healthcheck",), ("--version",), ("migrate",)]
    )

    assert (doctor.code, ledger.code, health.code, migrate.code) == (0, 0, 0, 0)
    assert str(owner.pid) in doctor.out
    assert "agree" in ledger.out
    assert "Already" in migrate.out
    assert version.err or version.out


def test_it_answers_whoever_watches_it(owner: Owner) -> None:
    for path, key in (("healthz", "alive"), ("readyz", "ready")):
        with urllib.request.urlopen(f"{owner.address}/{path}", timeout=5) as answer:
            assert json.load(answer)[key] is True


def test_the_control_door_opens_to_the_token_alone(demo: Desk, owner: Owner) -> None:
    card = demo.data_dir / "owner.json"
    assert stat.S_IMODE(card.stat().st_mode) == 0o600

    for headers in ({}, {"Authorization": "Bearer guess"}, {"Authorization": "Bearer "}):
        request = urllib.request.Request(f"{owner.address}/control/send", data=b"{}", headers=headers)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=5)
        assert refused.value.code in (401, 403)
        refused.value.close()


@pytest.mark.slow
def test_two_cannot_own_it(demo: Desk, owner: Owner) -> None:
    first, second = demo.all([("demo", "--no-open", "--port", "0"), ("run", "--demo-data")])

    for done in (first, second):
        assert f"(kill {owner.pid})" in done.in_one_sentence()
        assert "--data-dir" in done.err


# --- alone


@pytest.mark.slow
def test_alone_it_does_the_same_and_leaves_no_owner(alone: Desk) -> None:
    drawn = alone.send("/imagine a red fox")

    assert drawn["state"] == "settled"
    assert Path(drawn["images"][0]).parent == alone.data_dir / "sent"
    assert not (alone.data_dir / "owner.json").exists()
    again = alone.send("--press", f"details:{drawn['generation']}:0")
    assert drawn["generation"] in again["text"]
    named = alone.send("/quota", "--as", "somebody")
    assert {line["used"] for line in named["accounts"] if line["name"] == "You"} == {0}


@pytest.mark.slow
def test_alone_the_tools_look_and_change_nothing(alone: Desk) -> None:
    migrate = alone.run("migrate")
    assert (migrate.code, "Brought" in migrate.out) == (0, True)
    before = (alone.data_dir / "bot.db").read_bytes()

    doctor, ledger, health, again = alone.all([("doctor",), ("ledger", "verify"), ("healthcheck",), ("migrate",)])
    assert (doctor.code, ledger.code, health.code, again.code) == (0, 0, 1, 0)
    assert "none runs" in doctor.out
    assert (alone.data_dir / "bot.db").read_bytes() == before


@pytest.mark.slow
def test_the_ledger_says_where_it_disagrees(alone: Desk) -> None:
    alone.run("migrate")
    with sqlite3.connect(alone.data_dir / "bot.db") as raw:
        raw.execute(
            "INSERT INTO balances (account, unit, win, period, held, spent) VALUES ('all','images','total','all',0,7)"
        )
    raw.close()
    ledger, doctor = alone.all([("ledger", "verify"), ("doctor",)])

    assert (ledger.code, doctor.code) == (1, 1)
    assert "all images" in ledger.out
    assert "7" in ledger.out


@pytest.mark.slow
def test_personas_live_in_a_demonstrations_folder_only(demo: Desk, alone: Desk) -> None:
    alone.run("migrate")
    stranger = demo.run("send", "/quota", "--as", "mallory")
    assert "mallory" in stranger.in_one_sentence()
    assert "bob" in stranger.err

    carol = alone.send("/quota", "--as", "carol")
    assert {line["left"] for line in carol["accounts"] if line["window"] == "month" and line["unit"] == "images"} != {0}


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A folder that a demonstration made and left."""
    desk = Desk(tmp_path_factory.mktemp("left"), {})
    with desk.running("demo", "--no-open") as owner:
        pass
    assert owner.stop() == 0
    return desk


@pytest.mark.slow
def test_a_demonstrations_folder_is_not_taken_into_service(left: Desk) -> None:
    refused = left.run("run").in_one_sentence()

    assert f"{left.data_dir} was made by a demonstration" in refused
    with left.running("run", "--demo-data"):
        assert left.send("/quota", "--as", "carol")["accounts"]
    assert re.findall("`(.+?)`", refused) == ["seedream-bot run --data-dir real"]
    with Desk(left.folder, {}, data="real").running("run"):
        pass


@pytest.mark.slow
def test_a_folder_in_use_is_not_made_a_demonstration(alone: Desk) -> None:
    alone.send("/quota")

    for words in (("demo", "--no-open"), ("demo", "--no-open", "--reset")):
        alone.run(*words).in_one_sentence()
    assert alone.send("/quota")["text"]


NONSENSE = (
    ("send",),
    ("send", ""),
    ("send", "hi", "--attach", "/no/such/file.png"),
    ("send", "hi", "--attach", "/"),
    ("send", "--reply-to", "k3f9w2ab"),
)


def test_nonsense_gets_one_sentence(alone: Desk) -> None:
    for done in alone.all(NONSENSE):
        done.in_one_sentence()

    assert not (alone.data_dir / "bot.db").exists()


@pytest.mark.slow
def test_a_folder_that_cannot_be_one_gets_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    desk = Desk(tmp_path, {}, data="file/below")
    for done in desk.all([("send", "hi"), ("run",), ("demo", "--no-open"), ("migrate",), ("ledger", "verify")]):
        assert "file" in done.in_one_sentence()
    assert desk.run("healthcheck").code == 1
    assert "Traceback" not in desk.run("doctor").err


@pytest.mark.slow
@pytest.mark.parametrize(
    "content", [b"this is no database, but long enough to be read as one " * 20, b"SQLite format 3\0"]
)
def test_a_file_that_is_no_database_gets_one_sentence(alone: Desk, content: bytes) -> None:
    alone.data_dir.mkdir()
    (alone.data_dir / "bot.db").write_bytes(content)
    for done in alone.all([("send", "hi"), ("run",), ("ledger", "verify"), ("migrate",)]):
        done.in_one_sentence()
    assert "Traceback" not in alone.run("doctor").err


@pytest.mark.slow
def test_a_database_of_the_future_gets_one_sentence(alone: Desk) -> None:
    alone.run("migrate")
    with sqlite3.connect(alone.data_dir / "bot.db") as raw:
        raw.execute("UPDATE alembic_version SET version_num='9999'")
    raw.close()

    for done in alone.all([("send", "hi"), ("run",), ("migrate",)]):
        assert "9999" in done.in_one_sentence()


@pytest.mark.slow
@pytest.mark.parametrize(
    "variables",
    [
        {"BOT_WEB__PROT": "1"},
        {"BOT_WEB__HOST": "0.0.0.0"},
        {"BOT_DATABASE_URL": "postgresql://localhost:1/bot"},
        {"BOT_PROVIDERS": '["modelark"]'},
        {"BOT_TIME_ZONE": "Middle/Earth"},
    ],
    ids=lambda variables: next(iter(variables)),
)
def test_settings_that_cannot_be_get_one_sentence(alone: Desk, variables: dict[str, str]) -> None:
    assert next(iter(variables)).rpartition("__")[0].split("__")[0] in alone.run("run", **variables).in_one_sentence()


@pytest.mark.slow
def test_a_port_in_use_gets_one_sentence(alone: Desk, owner: Owner) -> None:
    port = owner.address.rpartition(":")[2]

    assert port in (told := alone.run("run", BOT_WEB__PORT=port).in_one_sentence())
    assert "set BOT_WEB__PORT" in told


def test_a_file_is_no_place_for_pictures_and_nothing_is_drawn(alone: Desk) -> None:
    file = alone.folder / "notes.md"
    file.write_text("kept")

    for place in ("notes.md", "notes.md/below"):
        done = alone.run("send", "/imagine a fox", "--save", place)
        assert done.code == 2
        assert "notes.md is a file. Name a folder" in done.err
    assert not alone.data_dir.exists()


@pytest.mark.slow
def test_unknown_options_are_explained(alone: Desk) -> None:
    done = alone.run("send", "--nonsense", data_dir=False)

    assert done.code == 2
    assert "Traceback" not in done.err
    assert "--nonsense" in done.err


def test_the_version_and_the_help_need_nothing(tmp_path: Path) -> None:
    desk = Desk(tmp_path, {})
    version, words = desk.run("--version", data_dir=False), desk.run("--help", data_dir=False)

    assert version.out.startswith("seedream-bot ")
    commands = ("demo", "run", "send", "doctor", "migrate", "ledger", "healthcheck")
    assert [each for each in commands if each not in words.out] == []
    assert list(tmp_path.iterdir()) == []


def test_the_help_shows_flags_without_a_value_and_the_platforms_by_name(alone: Desk) -> None:
    words, send, setup = (alone.run(*command, "--help", data_dir=False) for command in ((), ("send",), ("setup",)))

    assert "<bool>" not in words.out + send.out + setup.out
    assert all(flag in send.out for flag in ("--yes", "--json", "<path>"))
    assert "discord or feishu" in setup.out


def test_it_calls_itself_as_it_was_called(alone: Desk) -> None:
    for name, variables in (
        ("seedream-bot", {}),
        ("python3 run.py", {"SEEDREAM_BOT_CALLED": "python3 run.py"}),
    ):
        words = alone.run("admin", "--help", data_dir=False, **variables)
        assert f"Usage: {name} admin" in words.out
        assert f" {name} admin limit person" in words.out
        assert f"such as: {name} send" in alone.run("send", **variables).in_one_sentence()
