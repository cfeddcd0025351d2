"""From settings to providers that can be asked: each dialect against the simulator of its vendor, on real sockets."""

from collections.abc import Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.catalogue import load
from bot.errors import OutcomeUnknown, ProviderBusy, ProviderError, ProviderMisconfigured
from bot.opening import Opened, configured, link_hosts, opened
from bot.providers.apiframe import Apiframe
from bot.providers.base import Event, Job, Produced
from bot.providers.images_api import ImagesApi
from bot.providers.novita import Novita
from bot.settings import PROVIDERS, Settings
from tests.simulators.apiframe import ApiframeSim
from tests.simulators.base import Fault
from tests.simulators.images_api import ImagesApiSim
from tests.simulators.novita import NovitaSim
from tests.simulators.personalities import APIYI

KEYS: Mapping[str, Any] = {name: {"api_key": f"key-of-{name}"} for name in PROVIDERS if name != "sandbox"}
EVERYONE: Mapping[str, Any] = {**KEYS, "compatible": {"base_url": "https://gateway.example/v1"}}
HERE = ["127.0.0.1"]


def now() -> datetime:
    return datetime.now(UTC)


async def ask(found: Opened, name: str, folder: Path, model: str = "seedream-4.5") -> list[Event]:
    """One picture from this provider, as the runner would ask for it."""
    offer = found.router.offer(name, model)
    assert offer is not None
    job = Job(id=f"{name}:0", model=offer, prompt="a red fox", size=offer.default_tier, folder=folder)
    async with aclosing(found.providers[name].generate(job)) as events:
        return [event async for event in events]


def pictures(events: list[Event]) -> int:
    return sum(isinstance(event, Produced) for event in events)


async def test_each_provider_speaks_its_dialect_in_the_order_of_preference() -> None:
    settings = Settings(**EVERYONE, providers=PROVIDERS)
    async with opened(settings, load(), clock=now) as found:
        kinds = {name: type(provider) for name, provider in found.providers.items()}

        assert kinds == dict.fromkeys(PROVIDERS, ImagesApi) | {"apiframe": Apiframe, "novita": Novita}
        assert found.router.order == PROVIDERS
        assert all(provider.name == name for name, provider in found.providers.items())
        assert list(found.counting) == ["apiframe"]
        assert found.sandbox is not None


async def test_the_sandbox_is_started_where_it_is_in_use_and_only_there(tmp_path: Path) -> None:
    async with opened(Settings(modelark={"api_key": "k"}), load(), clock=now) as found:
        assert found.sandbox is None
    async with opened(Settings(), load(), clock=now) as found:
        assert pictures(await ask(found, "sandbox", tmp_path)) == 1


async def test_every_vendor_is_asked_with_its_key_at_its_address(tmp_path: Path) -> None:
    async with ImagesApiSim() as ark, NovitaSim() as novita, ApiframeSim(key="key-of-apiframe") as apiframe:
        ark.key, novita.key = "key-of-modelark", "key-of-novita"
        own = {
            name: {**KEYS[name], "base_url": sim.base_url}
            for name, sim in (("modelark", ark), ("novita", novita), ("apiframe", apiframe))
        }
        settings = Settings(**own, providers=list(own), fetch={"allow": HERE})
        async with opened(settings, load(), clock=now) as found:
            for name in own:
                folder = tmp_path / name
                folder.mkdir()

                assert pictures(await ask(found, name, folder)) == 1
        assert [len(sim.paid) for sim in (ark, novita, apiframe)] == [1, 1, 1]


async def test_a_wrong_key_stops_nothing_else(tmp_path: Path) -> None:
    async with ImagesApiSim() as ark, ImagesApiSim(APIYI) as apiyi:
        ark.key = "another"
        settings = Settings(
            modelark={"api_key": "wrong", "base_url": ark.base_url},
            apiyi={"api_key": "right", "base_url": apiyi.base_url},
            providers=["modelark", "apiyi"],
        )
        async with opened(settings, load(), clock=now) as found:
            with pytest.raises(ProviderMisconfigured):
                await ask(found, "modelark", tmp_path)

            assert pictures(await ask(found, "apiyi", tmp_path)) == 1


async def test_an_id_of_ones_own_goes_over_the_wire(tmp_path: Path) -> None:
    async with ImagesApiSim() as ark:
        ark.models["ep-20261121-fox"] = ark.models["seedream-4-5-251128"]
        modelark = {"api_key": "k", "base_url": ark.base_url, "models": {"seedream-4.5": "ep-20261121-fox"}}
        async with opened(Settings(modelark=modelark), load(), clock=now) as found:
            await ask(found, "modelark", tmp_path)

        assert b'"model": "ep-20261121-fox"' in ark.paid[0].body


@pytest.mark.parametrize(("backup", "reached"), [(True, True), (False, False)])
async def test_the_backup_address_is_asked_unless_it_is_switched_off(
    tmp_path: Path, backup: bool, reached: bool
) -> None:
    async with ImagesApiSim(APIYI) as apiyi:
        own = {"api_key": "k", "base_url": "http://127.0.0.1:9/v1", "backup_url": apiyi.base_url if backup else "none"}
        async with opened(Settings(apiyi=own), load(), clock=now) as found:
            if reached:
                assert pictures(await ask(found, "apiyi", tmp_path)) == 1
            else:
                with pytest.raises(ProviderBusy):
                    await ask(found, "apiyi", tmp_path)


@pytest.mark.parametrize(("retry", "error"), [(False, OutcomeUnknown), (True, ProviderBusy)])
async def test_a_quick_server_error_counts_as_not_accepted_only_where_that_is_set(
    tmp_path: Path, retry: bool, error: type[ProviderError]
) -> None:
    async with ImagesApiSim() as ark:
        ark.goes_wrong(Fault.FAILED)
        own = {"api_key": "k", "base_url": ark.base_url}
        settings = Settings(modelark=own, queue={"retry_quick_5xx": retry})
        async with opened(settings, load(), clock=now) as found:
            with pytest.raises(error):
                await ask(found, "modelark", tmp_path)


@pytest.mark.parametrize(
    ("public", "told"),
    [
        ("https://bot.example", "https://bot.example/hooks/apiframe"),
        ("https://example.com/bot/", "https://example.com/bot/hooks/apiframe"),
        (None, None),
    ],
)
async def test_a_provider_that_can_call_back_is_told_where(
    tmp_path: Path, public: str | None, told: str | None
) -> None:
    async with ApiframeSim() as apiframe:
        own = {"api_key": apiframe.key, "base_url": apiframe.base_url}
        settings = Settings(apiframe=own, web={"public_url": public}, fetch={"allow": HERE})
        async with opened(settings, load(), clock=now) as found:
            await ask(found, "apiframe", tmp_path)

            assert list(found.receive) == (["apiframe"] if public else [])
        (job,) = apiframe.jobs.values()
        assert job.asked.get("webhookUrl") == told


def test_the_catalogue_follows_the_settings() -> None:
    settings = Settings(
        modelark={"api_key": "k", "base_url": "https://ark.eu-west.bytepluses.com/api/v3"},
        compatible={"base_url": "https://gateway.example/v1", "models": {"seedream-4": "sd4", "seedream-4.5": "sd45"}},
        apiframe={"api_key": "k", "credit_usd": "0.0075"},
    )
    catalogue = configured(load(), settings)

    assert [model.name for model in catalogue.models("modelark")] == ["seedream-5-lite"]
    assert {model.name: model.id for model in catalogue.models("compatible")} == {
        "seedream-4": "sd4",
        "seedream-4.5": "sd45",
    }
    assert catalogue.model("apiframe", "seedream-4.5").prices[0][1] == 4 * 7_500
    assert catalogue.offer("apiframe").credit_price == 7_500


def test_without_settings_the_catalogue_is_as_it_ships() -> None:
    shipped = load()
    catalogue = configured(load(), Settings(**KEYS | {"compatible": {}}))

    assert all(catalogue.offer(name) == shipped.offer(name) for name in shipped.providers)


def test_the_addresses_are_the_vendors_own_by_default() -> None:
    settings, catalogue = Settings(), load()
    for name in PROVIDERS:
        vendor = settings.vendor(name)
        if vendor is not None:
            assert (vendor.base_url or "") == catalogue.offer(name).base_url
    assert settings.apiyi.backup_url == catalogue.offer("apiyi").backup_url
    assert settings.apiframe.credit_usd * 1_000_000 == Decimal(catalogue.offer("apiframe").credit_price)


def test_pictures_may_come_from_an_address_that_somebody_set_and_from_no_other_new_one() -> None:
    apiyi = load().offer("apiyi")

    assert link_hosts(apiyi, apiyi.base_url, apiyi.backup_url) == apiyi.hosts
    assert link_hosts(apiyi, apiyi.base_url, "") == apiyi.hosts
    assert link_hosts(apiyi, "https://gateway.example:8443/v1", apiyi.backup_url) == (*apiyi.hosts, "gateway.example")
