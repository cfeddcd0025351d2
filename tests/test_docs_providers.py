"""What docs/providers.md and docs/adding-a-provider.md claim is so: tables, settings, failures and numbers.

`python scripts/providers.py` renews the tables.
"""

import inspect
import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.capabilities import MOST_PROMPT
from bot.catalogue import Catalogue, load
from bot.errors import ProviderError
from bot.generation import health, runner
from bot.opening import HOOKS, configured
from bot.ops.credits import ASK_EVERY
from bot.ops.metrics import Metrics
from bot.providers import images_api, pictures
from bot.providers.apiframe import Apiframe
from bot.providers.refusals import refusal
from bot.settings import PROVIDERS, Settings, describe
from bot.settings import load as load_settings
from bot.sources import PREFIX
from bot.storage.database import Database
from scripts import providers

ROOT = Path(__file__).resolve().parent.parent
PAGE = providers.PAGE.read_text(encoding="utf-8")
ADDING = (ROOT / "docs" / "adding-a-provider.md").read_text(encoding="utf-8")
CATALOGUE: Catalogue = load()
NAMES = {CATALOGUE.offer(name).title: name for name in CATALOGUE.providers}


def sections() -> dict[str, str]:
    """The text below each heading, up to the next one."""
    parts = re.split(r"^#+ (.+)\n", PAGE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def examples() -> list[tuple[str, str]]:
    """Every block of settings with its heading."""
    return [
        (title, block)
        for title, words in sections().items()
        for block in re.findall(r"^```dotenv\n(.*?)^```$", words, re.MULTILINE | re.DOTALL)
    ]


def flowing(words: str) -> str:
    return " ".join(words.split())


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in, and no variable of the bot's."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
    return tmp_path


def settings_of(example: str, folder: Path) -> Settings:
    (folder / ".env").write_text(example, encoding="utf-8")
    return load_settings()


# --- tables -----------------------------------------------------------------------------------------------------------


def test_the_tables_are_those_of_the_catalogue_and_the_settings() -> None:
    assert providers.written(PAGE) == PAGE, "run scripts/providers.py"


def test_a_table_tells_another_price_and_another_size() -> None:
    dearer = CATALOGUE.with_credit("apiframe", 20_000)
    european = CATALOGUE.at("modelark", "https://ark.eu-west.bytepluses.com/api/v3")

    assert "| 0.08 (4 credits) |" in providers.prices_table(dearer)
    assert "| `seedream-5.5` | | " in providers.ids_table(european)


def test_each_provider_and_model_stands_in_the_tables() -> None:
    ids = sections()["Which model is where"]

    for name in CATALOGUE.providers:
        assert f"| `{name}` |" in sections()["Providers"]
        if CATALOGUE.offer(name).base_url:
            assert {model.id for model in CATALOGUE.models(name)} <= set(re.findall(r"`([^`]+)`", ids))


# --- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("title", "example"), examples())
def test_the_settings_that_are_shown_are_enough(title: str, example: str, nowhere: Path) -> None:
    settings = settings_of(example, nowhere)
    catalogue = configured(CATALOGUE, settings)

    shown = settings.providers if title == "Choice and failover" else (NAMES[title],)
    assert settings.provider_order == shown
    assert all(catalogue.models(name) for name in settings.provider_order)


def test_every_provider_has_a_section_with_the_settings_that_it_needs() -> None:
    assert set(NAMES) <= {title for title, _ in examples()}


def test_the_european_address_offers_what_is_said(nowhere: Path) -> None:
    (example,) = (block for _, block in examples() if "eu-west" in block)
    offered = configured(CATALOGUE, settings_of(example, nowhere)).models("modelark")

    (told,) = re.findall(r"In the European one there is only `([^`]+)`", flowing(PAGE))
    assert [model.name for model in offered] == [told]


def test_the_models_of_a_gateway_are_those_that_are_named(nowhere: Path) -> None:
    (example,) = (block for title, block in examples() if title == "A compatible gateway")
    offered = configured(CATALOGUE, settings_of(example, nowhere)).models("compatible")

    (told,) = re.findall(r"MODELS=(.*)", example)
    assert {model.name: model.id for model in offered} == json.loads(told)


@pytest.mark.parametrize("words", [PAGE, ADDING])
def test_every_setting_that_is_named_exists(words: str) -> None:
    assert set(re.findall(rf"\b{PREFIX}[A-Z0-9_]+", words)) <= {setting.name for setting in describe()}


def test_the_table_has_the_order_in_which_keys_are_looked_for() -> None:
    assert CATALOGUE.providers == PROVIDERS
    assert "the first provider in the table on top that has a key" in flowing(PAGE)


# --- what goes wrong --------------------------------------------------------------------------------------------------


def failures() -> list[tuple[str, str]]:
    (table,) = re.findall(r"<!-- failures -->\n(.*?)<!-- /failures -->", PAGE, re.DOTALL)
    return re.findall(r"^\| `([^`]+)` \| `([^`]+)` \|", table, re.MULTILINE)


@pytest.mark.parametrize(("detail", "kind"), failures())
def test_an_error_is_taken_for_what_the_table_says(detail: str, kind: str) -> None:
    status, _, code = detail.partition(" ")
    body = json.dumps({"error": {"code": code, "message": "no reason"}}).encode() if code else b""
    error = refusal(int(status), body, now=datetime(2026, 11, 21, tzinfo=UTC))

    assert error.kind == kind
    assert detail in error.detail


def test_every_kind_of_failure_that_is_named_exists() -> None:
    told = {kind for _, kind in failures()} | set(re.findall(r"is `(\w+)`", sections()["When something is wrong"]))

    assert len(told) > 3
    assert told <= {error.kind for error in ProviderError.__subclasses__()}


async def test_the_metrics_that_are_named_exist(database: Database) -> None:
    scraped = await Metrics(database=database, providers=("apiframe",), credits={"apiframe": 7}).scrape()

    told = re.findall(r"`(seedream_\w+)`", PAGE)
    assert len(told) == 3
    assert all(f"\n{name}{{".encode() in scraped for name in told)


# --- numbers ----------------------------------------------------------------------------------------------------------


def numbers() -> list[str]:
    least, most = inspect.signature(Apiframe).parameters["polls"].default
    apiframe = CATALOGUE.model("apiframe", "seedream-4")
    apiyi = CATALOGUE.model("apiyi", "seedream-4")
    return [
        f"After {health.MOST_FAILURES} failures in a row a provider is left alone",
        f"left alone for {health.FIRST_REST // 10**6} seconds, then for twice as long",
        f"up to {health.LONGEST_REST // 60_000_000} minutes",
        f"is tried at most {runner.MOST_TRIES} times altogether",
        f"a server error that came within {images_api.QUICK:g} seconds",
        f"the bot does so for {Apiframe.idempotent / 3600:g} hours",
        f"costs nothing and is tried up to {pictures.FETCHES} times",
        f"The bot stops at {MOST_PROMPT:,} characters",
        f"no more than {apiframe.prompt_limit:,} characters of words",
        f"each side must have from {apiframe.exact_sides[0]:,} to {apiframe.exact_sides[1]:,} pixels",
        f"asks every {least:g} to {most:g} seconds",
        f"every {ASK_EVERY.total_seconds() / 60:g} minutes, and in `doctor --probe`",
        f"smaller than {apiyi.inputs.max_bytes / 10**6:g} MB each",
        f"come to {apiyi.series_total} together at most",
        f"up to {apiyi.max_aspect:g} times as wide as high",
        f"calls `{HOOKS}apiframe`",
        f"Apiframe's at {CATALOGUE.offer('apiframe').credit_price / 10**6:g} USD a credit",
    ]


@pytest.mark.parametrize("claim", numbers())
def test_a_number_in_the_words_is_that_of_the_code(claim: str) -> None:
    assert claim in flowing(PAGE)


def test_pictures_of_a_series_come_one_by_one_where_it_is_said() -> None:
    streaming = {name for name in CATALOGUE.providers if any(model.stream for model in CATALOGUE.models(name))}
    at_the_end = {
        name for name in CATALOGUE.providers if any(model.series for model in CATALOGUE.models(name))
    } - streaming

    assert streaming - {"sandbox"} == {"modelark", "volcengine", "apiyi", "compatible"}
    assert at_the_end == {"novita"}
    told = "each picture of a series is shown as soon as it is drawn; at Novita all of them come at the end."
    assert f"At ModelArk, Volcengine, APIYI and a gateway that can stream, {told}" in flowing(PAGE)


# --- adding one -------------------------------------------------------------------------------------------------------


def steps() -> list[str]:
    return [flowing(step) for step in re.findall(r"^\d\. (.*?)(?=^\d\. |^#|\Z)", ADDING, re.MULTILINE | re.DOTALL)]


def test_every_step_of_adding_one_names_files_that_exist() -> None:
    named = {step[:40]: re.findall(r"`((?:bot|tests|scripts|docs)/[\w./-]+)`", step) for step in steps()}

    assert len(named) > 8
    assert [path for paths in named.values() for path in paths if not (ROOT / path).exists()] == []


def test_every_name_in_a_file_of_adding_one_is_there() -> None:
    named = re.findall(r"`(\w+)`(?: (?:of|in)) `([\w/.]+\.py)`", flowing(ADDING))

    assert len(named) > 3
    assert [name for name, path in named if not re.search(rf"\b{name}\b", (ROOT / path).read_text("utf-8"))] == []
