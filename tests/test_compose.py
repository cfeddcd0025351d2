"""compose.yaml, without a container engine: it says what it shall, and the bot understands what it is given."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.roles import Role
from bot.settings import describe, load
from tests.test_docs import check_command_line

TREE = Path(__file__).parents[1]
SECRETS = {"POSTGRES_PASSWORD": "database-word", "S3_SECRET": "store-word", "WEB_TOKEN": "page-word"}


def compose() -> dict[str, Any]:
    """As it is with every secret put in; one that may be missing would not be told to whoever forgets it."""
    text = re.sub(r"^\s*#.*\n", "", (TREE / "compose.yaml").read_text(encoding="utf-8"), flags=re.MULTILINE)
    asked = set(re.findall(r"\$\{(\w+):\?put it into \.env\}", text))
    assert asked == SECRETS.keys()
    filled = re.sub(r"\$\{(\w+):\?[^}]*\}", lambda found: SECRETS[found[1]], text)
    assert "$" not in filled
    made: dict[str, Any] = yaml.safe_load(filled)
    return made


def bots() -> dict[str, dict[str, Any]]:
    return {name: service for name, service in compose()["services"].items() if service["image"] == "seedream-bot"}


def test_there_are_a_gateway_two_workers_and_a_web_process() -> None:
    roles = {name: (service["command"][-1], service.get("deploy", {"replicas": 1})) for name, service in bots().items()}

    assert roles == {
        "gateway": (Role.GATEWAY, {"replicas": 1}),
        "worker": (Role.WORKER, {"replicas": 2}),
        "web": (Role.WEB, {"replicas": 1}),
    }
    for service in bots().values():
        check_command_line(service["command"])


@pytest.mark.parametrize("name", ["gateway", "worker", "web"])
def test_a_process_can_be_started_with_what_it_is_given(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    service = bots()[name]
    for variable, value in service["environment"].items():
        monkeypatch.setenv(variable, value)
    monkeypatch.chdir(tmp_path)
    settings = load(role=service["command"][-1])

    assert service["environment"].keys() <= {setting.name for setting in describe()}
    assert (settings.is_shared, settings.blobs_url) == (True, "s3://pictures")
    assert settings.s3.endpoint == "http://pictures:8333"


def test_a_process_writes_to_its_volume_only_and_may_do_nothing_else() -> None:
    for service in bots().values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["volumes"] == ["/data"]
        assert int(service["stop_grace_period"].removesuffix("s")) > load().queue.drain.total_seconds()


def test_nothing_is_open_to_the_network() -> None:
    ports = [port for service in compose()["services"].values() for port in service.get("ports", ())]

    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_image_has_a_version_and_every_part_is_there() -> None:
    made = compose()
    services = made["services"]
    volumes = {volume.partition(":")[0] for service in services.values() for volume in service.get("volumes", ())}
    configs = {config["source"] for service in services.values() for config in service.get("configs", ())}

    assert all(":" in service["image"] for service in services.values() if service["image"] != "seedream-bot")
    assert volumes - {"/data"} == made["volumes"].keys()
    assert configs == made["configs"].keys()
    for service in services.values():
        assert set(service.get("depends_on", ())) <= services.keys()


def test_the_store_and_prometheus_know_the_words_that_they_are_asked_with() -> None:
    made = compose()
    (identity,) = json.loads(made["configs"]["s3"]["content"])["identities"]
    settings = bots()["worker"]["environment"]
    (job,) = yaml.safe_load(made["configs"]["prometheus"]["content"])["scrape_configs"]

    assert identity["credentials"] == [
        {"accessKey": settings["BOT_S3__ACCESS_KEY_ID"], "secretKey": settings["BOT_S3__SECRET_ACCESS_KEY"]}
    ]
    assert made["configs"]["token"]["content"] == settings["BOT_WEB__TOKEN"]
    assert set(job["dns_sd_configs"][0]["names"]) == bots().keys()
