"""What `doctor` finds about the providers: from the settings, from the database, and only on demand from themselves."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from bot.catalogue import Catalogue, load
from bot.catalogue.router import Router
from bot.clock import micros, moment
from bot.errors import UsageError
from bot.generation import health
from bot.opening import configured, opened
from bot.ops.credits import OPERATORS, probe
from bot.ops.finding import Finding
from bot.providers.base import Probed
from bot.settings import Settings
from bot.sources import PREFIX
from bot.storage.connection import Connection


def offered(settings: Settings) -> Iterator[Finding]:
    """What is set, without asking anybody."""
    catalogue = configured(load(), settings)
    for name in filter(settings.lacks, settings.providers or ()):
        yield Finding(
            name=f"provider {name}",
            told=f"{PREFIX}PROVIDERS names it, but {settings.lacks(name)} is not set, so it is left out",
            well=False,
            cure=f"set {settings.lacks(name)}, or take {name} out of {PREFIX}PROVIDERS",
        )
    for name in settings.provider_order:
        models = ", ".join(model.name for model in catalogue.models(name))
        yield Finding(name=f"provider {name}", told=f"offers {models}")
    yield from _default_model(settings, Router(catalogue, settings.provider_order))
    if settings.provider_order == ("sandbox",):
        yield Finding(
            name="keys",
            told="none is used: pictures are placeholders drawn on this machine",
            well=False,
            warning=True,
            cure=f"set the key of a provider for real ones, such as {PREFIX}MODELARK__API_KEY",
        )


def _default_model(settings: Settings, router: Router) -> Iterator[Finding]:
    """One that nobody offers would be passed over in silence."""
    try:
        router.offers(settings.model or router.default().name)
    except UsageError:
        yield Finding(
            name="model",
            told=f"{PREFIX}MODEL names {settings.model}, which no provider in use offers; it is "
            f"{router.default().name} instead",
            well=False,
            warning=True,
            cure=f"set {PREFIX}MODEL to one that is offered, or leave it out",
        )


def resting(connection: Connection, settings: Settings) -> Iterator[Finding]:
    """The providers in use that a running bot leaves alone just now."""
    for rest in health.resting(connection, micros(datetime.now(UTC))):
        if rest.provider not in settings.provider_order:
            continue
        is_ours = rest.reason == OPERATORS
        yield Finding(
            name=f"provider {rest.provider}",
            told=f"left alone until {moment(rest.until):%H:%M:%S} UTC after failures in a row (last: {rest.reason})",
            well=False,
            warning=not is_ours,
            cure=_cure(rest.provider) if is_ours else "it is asked again by itself; others step in where they can",
        )


async def probed(settings: Settings) -> list[Finding]:
    """Ask every provider that has a key, all at once; what is wrong with one that is not in use is only a note."""
    names, catalogue = settings.configured, configured(load(), settings)
    if not names:
        return [Finding(name="probe", told="no provider has a key, so there is nobody to ask")]
    async with opened(settings, load(), clock=lambda: datetime.now(UTC), names=names) as found:
        answers = await asyncio.gather(*(probe(found.providers[name]) for name in names))
    return [_answer(settings, catalogue, name, told) for name, told in zip(names, answers, strict=True)]


def _answer(settings: Settings, catalogue: Catalogue, name: str, answer: Probed) -> Finding:
    finding = Finding(
        name=f"probe {name}",
        told=answer.told,
        well=answer.well,
        warning=name not in settings.provider_order,
        cure=_cure(name, answer.told),
    )
    if answer.well and answer.models and (unknown := _unknown(catalogue, name, answer)):
        return replace(
            finding,
            told=f"{answer.told}; it does not list {', '.join(unknown)}",
            well=False,
            warning=True,
            cure=f"give the ids that it has by {PREFIX}{name.upper()}__MODELS, or do without these models",
        )
    buy = "buy credits from it; a request beyond them is refused"
    least = min(model.credits for model in catalogue.models(name))
    match answer.credits:
        case int(left) if left < least:
            return replace(finding, told=f"{answer.told}: not enough for a picture", well=False, cure=buy)
        case int(left) if left < settings.apiframe.low_credits:
            return replace(finding, well=False, warning=True, cure=buy)
    return finding


def _unknown(catalogue: Catalogue, name: str, answer: Probed) -> list[str]:
    """The wire ids that it would be asked for and does not list, with the names that people use."""
    return [f"{model.id} ({model.name})" for model in catalogue.models(name) if model.id not in answer.models]


# What the providers' own sentences speak of, and what then is to be done; the first one decides.
_CURES = (
    (("the key",), "check {own}API_KEY: a key is good for one vendor and region only, that of {own}BASE_URL"),
    (("balance", "credits"), "top up the account in the vendor's console"),
    (("answered 404", "no image API"), "check {own}BASE_URL: what it should be is not at that address"),
    (("no connection", "no answer", "cannot be reached"), "check {own}BASE_URL, and this machine's way there"),
)
_ANY = (
    "check {own}API_KEY, {own}BASE_URL and {own}MODELS, and in the vendor's console the account's balance and which "
    "models it has opened"
)


def _cure(name: str, told: str = "") -> str:
    found = (cure for words, cure in _CURES if any(each in told for each in words))
    return next(found, _ANY).format(own=f"{PREFIX}{name.upper()}__")
