"""The settings: every source in its turn, every mistake a sentence, no secret in any word."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from bot.quota.tiers import Tier, from_json
from bot.settings import Section, Settings, SettingsError, describe, load

SECRET = "s3cr3t-word"


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in, and no variable of the bot's."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.upper().startswith("BOT_"):
            monkeypatch.delenv(name)
    return tmp_path


def problems_of(**arguments: object) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load(**arguments)
    return caught.value.problems


# --- sources ----------------------------------------------------------------------------------------------------------


def test_without_any_source_the_defaults_hold(nowhere: Path) -> None:
    settings = load()

    assert settings.data_dir == nowhere / "data"
    assert settings.database_url == f"sqlite:///{nowhere}/data/bot.db"
    assert settings.blobs_url == f"file://{nowhere}/data/blobs"
    assert settings.provider_order == ("sandbox",)
    assert (settings.web.host, settings.web.port, settings.web.token) == ("127.0.0.1", 8765, None)
    assert settings.queue.drain == timedelta(seconds=90)
    assert settings.unknown.after == timedelta(hours=24)
    assert settings.retention.total == 10 * 1024**3
    assert settings.media.max_bytes == 30 * 1024**2


def test_the_first_source_that_has_a_setting_decides(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def token() -> str:
        found = load().web.token
        assert found is not None
        return found.get_secret_value()

    (nowhere / "bot.toml").write_text('[web]\ntoken = "toml"\nport = 1')
    assert token() == "toml"
    (nowhere / "token").write_text("file")
    monkeypatch.setenv("BOT_WEB__TOKEN_FILE", str(nowhere / "token"))
    assert token() == "file"
    (nowhere / ".env").write_text("BOT_WEB__TOKEN=dotenv\nSOMEBODY_ELSES=1\n")
    assert token() == "dotenv"
    monkeypatch.setenv("BOT_WEB__TOKEN", "environment")
    assert token() == "environment"

    settings = load(web={"token": "argument"}, language=None)

    assert settings.web.token is not None
    assert settings.web.token.get_secret_value() == "argument"
    assert settings.web.port == 1
    assert settings.language == "en"


def test_a_settings_made_by_hand_reads_nothing(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT_WEB__PORT", "1")
    (nowhere / "bot.toml").write_text("data_dir = '/elsewhere'")

    settings = Settings()

    assert (settings.web.port, settings.data_dir) == (8765, nowhere / "data")
    assert Settings(queue={"drain": timedelta(seconds=1)}).queue.drain == timedelta(seconds=1)


def test_a_secret_file_loses_its_last_newline_only(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (nowhere / "token").write_text(" a token \r\n")
    (nowhere / "url").write_text("postgresql://somebody:word@host/bot\n")
    monkeypatch.setenv("BOT_WEB__TOKEN_FILE", str(nowhere / "token"))
    (nowhere / ".env").write_text(f"BOT_DATABASE_URL_FILE={nowhere / 'url'}\n")

    settings = load()

    assert settings.web.token is not None
    assert settings.web.token.get_secret_value() == " a token "
    assert settings.database_url == "postgresql://somebody:word@host/bot"


@pytest.mark.parametrize("pasted", [" sk-1 ", "sk-1\n", "\tsk-1\r\n"])
def test_a_key_loses_what_was_copied_along_with_it(pasted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT_APIYI__API_KEY", pasted)

    assert load().apiyi.key == "sk-1"


def test_a_config_file_can_be_named(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (nowhere / "bot.toml").write_text("model = 'not this one'")
    (nowhere / "other.toml").write_text("model = 'seedream-4'")
    monkeypatch.setenv("BOT_CONFIG", "other.toml")

    assert load().model == "seedream-4"


def test_an_empty_variable_is_as_good_as_none(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (nowhere / "bot.toml").write_text("model = 'seedream-4'")
    monkeypatch.setenv("BOT_MODEL", "")

    assert load().model == "seedream-4"


def test_variables_may_be_written_small_and_those_of_tests_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("bot_web__port", "99")
    monkeypatch.setenv("BOT_TEST_STRICT", "1")

    assert load().web.port == 99


# --- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("BOT_ADMINS", '["alice", " 小红 "]', ("alice", "小红")),
        ("BOT_ASK__ABOVE_USD", "1.5", "1.5"),
        ("BOT_DATA_DIR", "~/pictures", "HOME/pictures"),
        ("BOT_LOG__LEVEL", "debug", "DEBUG"),
        ("BOT_MEDIA__MAX_BYTES", "1000", 1000),
        ("BOT_MEDIA__METADATA", "off", False),
        ("BOT_QUEUE__DRAIN", "2", timedelta(seconds=2)),
        ("BOT_QUEUE__DRAIN", "1.5m", timedelta(seconds=90)),
        ("BOT_RETENTION__TOTAL", "2 TiB", 2 * 1024**4),
        ("BOT_TIME_ZONE", "Asia/Shanghai", "Asia/Shanghai"),
        ("BOT_UNKNOWN__AFTER", "2", timedelta(hours=2)),
        ("BOT_UNKNOWN__AFTER", "7d", timedelta(days=7)),
        ("BOT_BLOBS_URL", "s3://pictures/bot", "s3://pictures/bot"),
        ("BOT_WEB__PUBLIC_URL", "https://bot.example/page/", "https://bot.example/page"),
    ],
)
def test_values_are_read_as_people_write_them(
    name: str, text: str, value: object, nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(nowhere))
    monkeypatch.setenv(name, text)

    read = load()
    for key in name.removeprefix("BOT_").lower().split("__"):
        read = getattr(read, key)

    assert read == value or str(read).replace(str(nowhere), "HOME") == value


def test_limits_say_what_each_window_allows(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (nowhere / "bot.toml").write_text(
        """
        [limits.all]
        usd = { day = 12.5, week = "0.000001", month = "unlimited" }
        images = { total = "none" }
        """
    )
    table = load().limits.table()

    assert table["person", "images", "day"] == 50
    assert table["person", "images", "month"] == 500
    assert table["person", "images", "week"] is None
    assert table["space", "images", "month"] == 5000
    assert table["space", "usd", "month"] == 200_000_000
    assert table["all", "usd", "day"] == 12_500_000
    assert table["all", "usd", "week"] == 1
    assert table["all", "usd", "month"] is None
    assert table["all", "images", "total"] == 0
    assert len(table) == 3 * 2 * 4


def test_limits_replace_those_below_as_a_whole(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (nowhere / "bot.toml").write_text("[limits]\nperson = { images = { week = 7 } }\nall = { usd = { day = 1 } }\n")
    assert load().limits.person == {"images": {"week": 7}}

    monkeypatch.setenv("BOT_LIMITS__PERSON", '{"images": {"day": 1}}')

    assert load().limits.person == {"images": {"day": 1}}
    assert load().limits.all == {"usd": {"day": 1_000_000}}


def test_the_first_provider_with_a_key_is_taken_unless_some_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT_VOLCENGINE__API_KEY", SECRET)
    assert load().provider_order == ("volcengine",)
    monkeypatch.setenv("BOT_MODELARK__API_KEY", SECRET)
    assert load().provider_order == ("modelark",)

    monkeypatch.setenv("BOT_PROVIDERS", '["sandbox", "volcengine"]')

    assert load().provider_order == ("sandbox", "volcengine")


def test_an_empty_key_stops_nothing_else(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (nowhere / "empty").write_text(" \n")
    monkeypatch.setenv("BOT_MODELARK__API_KEY_FILE", str(nowhere / "empty"))
    assert load().provider_order == ("sandbox",)
    monkeypatch.setenv("BOT_APIYI__API_KEY", SECRET)
    assert load().provider_order == ("apiyi",)
    monkeypatch.setenv("BOT_PROVIDERS", '["modelark", "apiyi"]')

    settings = load()

    assert settings.provider_order == ("apiyi",)
    assert settings.lacks("modelark") == "BOT_MODELARK__API_KEY"
    assert (settings.lacks("apiyi"), settings.lacks("sandbox")) == ("", "")


def test_every_provider_that_could_be_asked_is_known_whether_in_use_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BOT_NOVITA__API_KEY", "BOT_VOLCENGINE__API_KEY"):
        monkeypatch.setenv(name, SECRET)
    monkeypatch.setenv("BOT_COMPATIBLE__BASE_URL", "https://gateway.example/v1/")

    assert load().configured == ("volcengine", "novita", "compatible")
    assert load().provider_order == ("volcengine",)
    assert load().compatible.base_url == "https://gateway.example/v1"


def test_a_gateway_without_its_address_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT_COMPATIBLE__API_KEY", SECRET)

    assert problems_of() == ("BOT_COMPATIBLE__API_KEY is set, but BOT_COMPATIBLE__BASE_URL is not.",)


def test_models_may_have_ids_of_ones_own(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (nowhere / "bot.toml").write_text('[modelark.models]\n"seedream-4.5" = "ep-1"\n"seedream-4" = "ep-2"\n')
    monkeypatch.setenv("BOT_COMPATIBLE__MODELS", '{"seedream-5-lite": " bytedance/lite "}')

    assert load().modelark.models == {"seedream-4.5": "ep-1", "seedream-4": "ep-2"}
    assert load().compatible.models == {"seedream-5-lite": "bytedance/lite"}


@pytest.mark.parametrize(("written", "read"), [("none", ""), ("https://b.example/v1/", "https://b.example/v1")])
def test_a_backup_address_can_be_another_or_none(written: str, read: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT_APIYI__BACKUP_URL", written)

    assert load().apiyi.backup_url == read


def test_what_a_credit_costs_is_counted_in_millionths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT_APIFRAME__CREDIT_USD", "0.0075")

    assert load().apiframe.credit_price == 7_500


# --- mistakes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("BOT_WEB__PROT", "BOT_WEB__PORT"),
        ("BOT_DATABSE_URL_FILE", "BOT_DATABASE_URL_FILE"),
        ("BOT_QUOTTA__PER_USER", "BOT_QUEUE__PER_PERSON"),
        ("BOT_WEB", "BOT_WEB__PORT"),
        ("BOT_MODEL_FILE", "BOT_MODEL"),
    ],
)
@pytest.mark.parametrize("place", ["", " in .env"])
def test_a_misspelt_variable_is_told_with_the_nearest(
    name: str, nearest: str, place: str, nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if place:
        (nowhere / ".env").write_text(f"{name}={SECRET}\n")
    else:
        monkeypatch.setenv(name, SECRET)

    assert problems_of() == (f"{name}{place} is not a setting; the nearest is {nearest}.",)


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        ("[web]\nprot = 1", "web.prot in bot.toml is not a setting; the nearest is web.port."),
        ("langauge = 'en'", "langauge in bot.toml is not a setting; the nearest is language."),
        ("web = 1", "web in bot.toml must be a table."),
        ("[web]\nport = 'x'", "web.port in bot.toml should be a valid integer, unable to parse string as an integer."),
        ("admins = 'alice'", 'admins in bot.toml must be a list such as ["first", "second"].'),
        ("data_dir = 3", "data_dir in bot.toml must be the path of a folder."),
        ("web = ", "bot.toml is not valid TOML: Invalid value (at end of document)."),
    ],
)
def test_a_mistake_in_the_file_is_told_in_its_words(toml: str, problem: str, nowhere: Path) -> None:
    (nowhere / "bot.toml").write_text(toml)

    assert problems_of() == (problem,)


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("BOT_ADMINS", "alice", 'must be a list such as ["first", "second"]'),
        ("BOT_ADMINS", "[1]", 'must be a list such as ["first", "second"]'),
        ("BOT_BLOBS_URL", "blobs", "must begin with file:/// or s3://"),
        ("BOT_DATABASE_URL", f"mysql://u:{SECRET}@h/x", "must begin with sqlite:/// or postgresql://"),
        ("BOT_MODELARK__BASE_URL", "ark", "must be an address such as https://example.com"),
        (
            "BOT_PROVIDERS",
            '["openai"]',
            "names openai, but there are only modelark, volcengine, apiyi, apiframe, novita, compatible, sandbox",
        ),
        ("BOT_PROVIDERS", '["compatible"]', "names compatible, but BOT_COMPATIBLE__BASE_URL is not set"),
        (
            "BOT_PROVIDERS",
            '["modelark", "novita"]',
            "names modelark and novita, but BOT_MODELARK__API_KEY and BOT_NOVITA__API_KEY are not set",
        ),
        ("BOT_APIYI__BACKUP_URL", "vip", "must be an address such as https://example.com"),
        ("BOT_APIFRAME__CREDIT_USD", "0", "should be greater than or equal to 0.000001"),
        ("BOT_APIFRAME__LOW_CREDITS", "-1", "should be greater than or equal to 0"),
        ("BOT_NOVITA__API_KEY", "one\ntwo", "must be one line of printable characters"),
        (
            "BOT_APIYI__API_KEY",
            "Bearer sk-1",
            "must be one word of plain letters, digits and signs, as the vendor shows it",
        ),
        (
            "BOT_APIYI__API_KEY",
            "“sk-1”",
            "must be one word of plain letters, digits and signs, as the vendor shows it",
        ),
        (
            "BOT_APIYI__BASE_URL",
            "https://api.apiyi.com/v1/images/generations/",
            "must be what stands before /images/generations",
        ),
        ("BOT_MODELARK__MODELS", "ep-1", 'must be a table such as {"seedream-4.5": "ep-20260101000000-abcde"}'),
        (
            "BOT_MODELARK__MODELS",
            '{"seedream-4": 1}',
            'must be a table such as {"seedream-4.5": "ep-20260101000000-abcde"}',
        ),
        (
            "BOT_MODELARK__MODELS",
            '{"sedream-45": "ep-1"}',
            "names sedream-45, a model that is not offered; the nearest is seedream-4.5",
        ),
        (
            "BOT_NOVITA__MODELS",
            '{"seedream-5-pro": "x"}',
            "names seedream-5-pro, a model that is not offered; the nearest is seedream-4.5",
        ),
        ("BOT_PROVIDERS", '["sandbox", "sandbox"]', "must name at least one provider, and none twice"),
        ("BOT_PROVIDERS", "[]", "must name at least one provider, and none twice"),
        ("BOT_PROVIDERS", '["modelark"]', "names modelark, but BOT_MODELARK__API_KEY is not set"),
        ("BOT_QUEUE__RUNNING", "0", "should be greater than or equal to 1"),
        ("BOT_RETENTION__TOTAL", "-1", 'must be a size such as "30MiB" or "10GiB"'),
        ("BOT_TIME_ZONE", "Europe", "must be a time zone such as Asia/Shanghai or Europe/Berlin"),
        ("BOT_TIME_ZONE", "Mars/Base", "must be a time zone such as Asia/Shanghai or Europe/Berlin"),
        ("BOT_UNKNOWN__AFTER", "1y", 'must be a time such as "90s", "15m", "24h" or "7d"'),
        ("BOT_UNKNOWN__THEN", "forget", "should be 'charge' or 'release'"),
    ],
)
def test_a_wrong_value_is_one_sentence(name: str, text: str, problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, text)

    assert problems_of() == (f"{name} {problem}.",)


A_TABLE = 'must be a table such as {"images": {"day": 50}, "usd": {"month": "12.50"}}'
A_COUNT = 'has a wrong images.day: it must be a whole number from 0 on, "unlimited" or "none"'
AN_AMOUNT = 'has a wrong usd.day: it must be an amount with at most six decimals from 0 on, "unlimited" or "none"'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", A_TABLE),
        ("[]", A_TABLE),
        ('{"usd": 5}', A_TABLE),
        ('{"image": {"day": 1}}', "has the unknown unit image; there are images and usd"),
        ('{"usd": {"days": 1}}', "has the unknown window days; there are day, week, month, total"),
        ('{"images": {"day": -1}}', A_COUNT),
        ('{"images": {"day": 1.0}}', A_COUNT),
        ('{"images": {"day": true}}', A_COUNT),
        ('{"images": {"day": "many"}}', A_COUNT),
        ('{"images": {"day": 1e99}}', A_COUNT),
        ('{"usd": {"day": -1}}', AN_AMOUNT),
        ('{"usd": {"day": "0.0000001"}}', AN_AMOUNT),
        ('{"usd": {"day": NaN}}', AN_AMOUNT),
        ('{"usd": {"day": "1e99"}}', AN_AMOUNT),
        ('{"usd": {"day": "a lot"}}', AN_AMOUNT),
        ('{"usd": {"day": null}}', AN_AMOUNT),
    ],
)
def test_wrong_limits_say_what_is_right(text: str, problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT_LIMITS__SPACE", text)

    assert problems_of() == (f"BOT_LIMITS__SPACE {problem}.",)


def test_all_problems_are_told_at_once(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT_WEB__PORT", "70000")
    monkeypatch.setenv("BOT_WEB__PROT", "1")
    monkeypatch.setenv("BOT_WEB__TOKEN_FILE", "missing")
    (nowhere / ".env").write_text("BOT_LANGUAGE=de\n")
    (nowhere / "bot.toml").write_text("=")

    assert problems_of(ask={"above_images": -1}) == (
        "BOT_WEB__PROT is not a setting; the nearest is BOT_WEB__PORT.",
        "BOT_WEB__TOKEN_FILE names missing, which cannot be read: No such file or directory.",
        "bot.toml is not valid TOML: Invalid statement (at line 1, column 1).",
        "BOT_LANGUAGE in .env should be 'en' or 'zh-CN'.",
        "ask.above_images should be greater than or equal to 0.",
        "BOT_WEB__PORT should be less than or equal to 65535.",
    )


def test_files_that_cannot_be_read_are_told(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (nowhere / ".env").write_bytes(b"BOT_MODEL=\xff\n")
    (nowhere / "token").write_bytes(b"\xff")
    monkeypatch.setenv("BOT_CONFIG", "missing.toml")
    monkeypatch.setenv("BOT_WEB__TOKEN_FILE", "token")

    assert problems_of() == (
        ".env cannot be read: it is not UTF-8.",
        "BOT_WEB__TOKEN_FILE names token, which cannot be read: it is not UTF-8.",
        "missing.toml cannot be read: No such file or directory.",
    )


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_no_secret_is_in_a_repr_or_a_problem(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = [setting for setting in describe() if setting.secret]
    for setting in secrets:
        scheme = "http" if setting.name.endswith("__PROXY") else "postgresql"
        monkeypatch.setenv(setting.name, f"{scheme}://{SECRET}")
    monkeypatch.setenv("BOT_COMPATIBLE__BASE_URL", "https://gateway.example")
    assert SECRET not in repr(load())
    assert SECRET not in str(load())

    (nowhere / "bot.toml").write_text(f"[web]\ntokn = '{SECRET}'\n")
    monkeypatch.setenv("BOT_WEB__PORT", SECRET)
    monkeypatch.setenv("BOT_DATABASE_URL", SECRET)

    assert SECRET not in "".join(problems_of(modelark={"api_key": [SECRET]}))
    assert {"BOT_WEB__TOKEN", "BOT_MODELARK__API_KEY", "BOT_DATABASE_URL"} <= {setting.name for setting in secrets}


# --- the table --------------------------------------------------------------------------------------------------------


def test_every_setting_is_described_and_its_default_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    described = list(describe())
    paths = [setting.path for setting in described if setting.path]
    leaves = [
        (key, inner) if isinstance(value, Section) else (key,)
        for key, value in Settings()
        for inner in (type(value).model_fields if isinstance(value, Section) else [""])
    ]
    plain = load()
    for setting in described:
        if setting.path and setting.default and "{data_dir}" not in setting.default:
            monkeypatch.setenv(setting.name, setting.default)

    assert paths == leaves
    assert all(setting.description.endswith(".") for setting in described)
    assert load() == plain


def test_importing_reads_nothing(nowhere: Path) -> None:
    (nowhere / "bot.toml").write_text("=")

    done = subprocess.run(
        [sys.executable, "-c", "import bot.settings"], env={**os.environ, "BOT_WEB__PORT": "x"}, check=False
    )

    assert done.returncode == 0


def test_tiers_are_read_from_a_file_and_from_a_variable(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (nowhere / "bot.toml").write_text(
        '[tiers.pro]\nrank = 2\nmodels = ["seedream-4.5"]\nsize = "4K"\nreferences = 0\nseries = 4\nin_flight = 3\n'
        'priority = -1\nlimits = { images = { day = 200 }, usd = { month = "unlimited", day = "2.50" } }\n'
    )
    limits = {"images": {"day": 200}, "usd": {"month": None, "day": 2_500_000}}
    pro = {"rank": 2, "models": ["seedream-4.5"], "size": "4K", "references": 0, "series": 4, "in_flight": 3}
    assert load().tiers == {"pro": {**pro, "priority": -1, "limits": limits}}

    monkeypatch.setenv("BOT_TIERS", '{"basic": {"limits": {"images": {"day": "none"}}}}')
    assert load().tiers == {"basic": {"limits": {"images": {"day": 0}}}}
    assert from_json("basic", load().tiers["basic"]) == Tier(name="basic", limits={("images", "day"): 0})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[]", 'must be a table such as {"pro": {"rank": 1, "limits": {"images": {"day": 200}}}}'),
        ('{"a b": {}}', "has a tier with the name 'a b': it must be one word of letters and digits"),
        (
            '{"pro": {"colour": 1}}',
            "has a tier pro with the unknown rule colour; there are rank, limits, models, size,",
        ),
        ('{"pro": {"rank": "1"}}', "has a wrong pro.rank: it must be a whole number"),
        ('{"pro": {"rank": true}}', "has a wrong pro.rank: it must be a whole number"),
        ('{"pro": {"series": 0}}', "has a wrong pro.series: it must be a whole number from 1 on"),
        ('{"pro": {"references": -1}}', "has a wrong pro.references: it must be a whole number from 0 on"),
        ('{"pro": {"in_flight": 1.5}}', "has a wrong pro.in_flight: it must be a whole number from 1 on"),
        ('{"pro": {"size": "huge"}}', 'has a wrong pro.size: it must be a size such as "2K" or "2048x2048"'),
        ('{"pro": {"models": "all"}}', 'has a wrong pro.models: it must be a list such as ["seedream-4.5"]'),
        (
            '{"pro": {"limits": {"images": {"day": -1}}}}',
            "has a tier pro whose limits are wrong: has a wrong images.day",
        ),
    ],
)
def test_wrong_tiers_say_what_is_right(text: str, problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT_TIERS", text)

    (said,) = problems_of()
    assert said.startswith(f"BOT_TIERS {problem}")
