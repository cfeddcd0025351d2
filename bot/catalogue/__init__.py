"""What each provider offers: the facts of `models.toml`, read once and asked often. No I/O after `load`."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from importlib.resources import files
from typing import Any

from bot.errors import UsageError
from bot.i18n import text

DEFAULT = "seedream-4.5"
_NAME = re.compile(
    r"(?:bytedance/|doubao-|dola-)?(?:seedream-?)?v?(?P<major>\d)(?:[.-](?P<minor>\d))?"
    r"(?:-?(?P<kind>lite|pro|flash))?(?:-t2i)?(?:-\d{6})?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputLimits:
    """What a reference picture must be. Sides and sizes in pixels, bytes; the aspect is width / height, inclusive."""

    formats: tuple[str, ...]
    max_bytes: int
    min_side: int
    max_pixels: int
    min_aspect: float
    max_aspect: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model version as one provider offers it. `id` goes over the wire, `name` is what people use.

    tiers: tier -> ratio -> "WxH", smallest tier first; ratio "1:1" always exists.
    formats: what its pictures may be; with a single one there is nothing to choose and nothing to send.
    prices: (most pixels, micro-USD a picture), ascending; the last one is open-ended.
    reference_price: micro-USD for each reference beyond the first `free_references`.
    prompt_limit: characters that the provider certainly refuses to exceed, 0 where none is documented.
    timeout, timeout_per_extra: seconds to wait for one picture, and more for every further one of a series.
    """

    provider: str
    name: str
    title: str
    id: str
    tiers: Mapping[str, Mapping[str, str]]
    default_tier: str
    min_pixels: int
    max_pixels: int
    min_aspect: float
    max_aspect: float
    references: int
    inputs: InputLimits
    series: bool
    series_total: int
    stream: bool
    formats: tuple[str, ...]
    optimize: tuple[str, ...]
    prices: tuple[tuple[int, int], ...]
    reference_price: int
    prompt_limit: int
    timeout: float
    timeout_per_extra: float
    free_references: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """How one provider is reached and what it offers. hosts: where its picture links may point, `*.` any subdomain."""

    base_url: str
    hosts: tuple[str, ...]
    models: tuple[Model, ...]


class Catalogue:
    """All providers' offers. Every look-up of a model takes the names people use, short forms and wire ids."""

    def __init__(self, offers: Mapping[str, Offer]) -> None:
        self._offers = offers

    @property
    def providers(self) -> tuple[str, ...]:
        return tuple(self._offers)

    def offer(self, provider: str) -> Offer:
        return self._offers[provider]

    def models(self, provider: str) -> tuple[Model, ...]:
        """The default model first."""
        return self._offers[provider].models

    def model(self, provider: str, name: str) -> Model:
        """Raises `UsageError` that names the nearest model and what there is."""
        offered = {model.name: model for model in self.models(provider)}
        wanted = name.strip().lower()
        by_id = {model.id.lower(): model for model in offered.values()}
        found = offered.get(wanted) or by_id.get(wanted) or offered.get(usual_name(wanted))
        if found:
            return found
        near = get_close_matches(usual_name(wanted) or wanted, offered, n=1, cutoff=0.6)
        if near:
            raise UsageError(
                text(
                    "No model here is called {name}; did you mean {nearest}? There are: {models}.",
                    name=name,
                    nearest=near[0],
                    models=tuple(offered),
                )
            )
        raise UsageError(text("No model here is called {name}. There are: {models}.", name=name, models=tuple(offered)))

    def default(self, provider: str, wanted: str = "") -> Model:
        """The wanted model where the provider offers it, else the provider's first one."""
        try:
            return self.model(provider, wanted or DEFAULT)
        except UsageError:
            return self.models(provider)[0]

    def with_ids(self, provider: str, ids: Mapping[str, str]) -> "Catalogue":
        """The same with other wire ids (`ep-…` endpoints, a gateway's own names), by the names people use."""
        offer = self._offers[provider]
        models = tuple(replace(model, id=ids.get(model.name, model.id)) for model in offer.models)
        return Catalogue({**self._offers, provider: replace(offer, models=models)})


def usual_name(name: str) -> str:
    """The name people use for `4.5`, `seedream-5.0-lite` or `doubao-seedream-4-0-250828`; "" where it is none."""
    found = _NAME.fullmatch(name.strip().lower().replace("_", "-").replace(" ", "-"))
    if not found:
        return ""
    version = found["major"] if found["minor"] in (None, "0") else f"{found['major']}.{found['minor']}"
    # Plain "5" is the Lite model: its first wire id has no word for it (seedream-5-0-260128).
    kind = found["kind"] or ("lite" if version == "5" else "")
    return "-".join(part for part in ("seedream", version, kind) if part)


def load() -> Catalogue:
    """Read `models.toml`, which ships inside the package."""
    facts = tomllib.loads(files("bot.catalogue").joinpath("models.toml").read_text("utf-8"))
    common = facts["models"].pop("common")
    offers = {}
    for provider, data in facts["providers"].items():
        source = facts["providers"][data.get("like", provider)]
        overrides = data.get("overrides", {})
        models = tuple(
            _model(provider, name, {**common, **facts["models"][name], **own, **overrides}, facts["tables"])
            for name, own in source["models"].items()
        )
        offers[provider] = Offer(base_url=data["base_url"], hosts=tuple(data["hosts"]), models=models)
    return Catalogue(offers)


def _model(provider: str, name: str, facts: Mapping[str, Any], tables: Mapping[str, Any]) -> Model:
    table = tables[facts["table"]]
    own: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in facts.items() if key != "table"
    }
    own["tiers"] = {tier: table[tier] for tier in facts["tiers"]}
    own["prices"] = tuple((pixels, price) for pixels, price in facts["prices"])
    own["inputs"] = InputLimits(**{**facts["inputs"], "formats": tuple(facts["inputs"]["formats"])})
    return Model(provider=provider, name=name, **own)
