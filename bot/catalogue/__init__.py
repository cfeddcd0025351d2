"""What each provider offers: the facts of `models.toml`, read once and asked often. No I/O after `load`."""

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
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
    optimize, backgrounds: what can be chosen; with fewer than two there is nothing to choose and nothing to send.
    alpha_for_transparent: a transparent background needs exactly one reference, and that with transparency.
    seed, search: whether it knows them; guidance: its least and most, () where it has none.
    exact_sides: the least and most pixels of a side of a size that is not in the tables; () where none is taken.
    matches: it takes the ratio of a picture by itself.
    layers: how many pictures at most it takes one apart into, 0 where it does not; layer_price_percent of a picture's
    price each. credits: what a picture costs where the provider counts in credits, else 0.
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
    backgrounds: tuple[str, ...] = ()
    alpha_for_transparent: bool = False
    search: bool = False
    seed: bool = False
    guidance: tuple[float, ...] = ()
    layers: int = 0
    layer_price_percent: int = 100
    credits: int = 0
    exact_sides: tuple[int, ...] = (1, 100_000)
    matches: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """How one provider is reached and what it offers. hosts: where its picture links may point, `*.` any subdomain.

    title: its name as it writes it. dialect: what it speaks: "images", "apiframe" or "novita".
    free_question: the path under `base_url` that a GET asks for nothing ("/models"); "" where only a request that is
    certain to be refused tells whether the key is good. credit_price: micro-USD, 0 where it does not count in credits.
    regions: which models there are where the address holds this host.
    """

    title: str
    dialect: str
    base_url: str
    hosts: tuple[str, ...]
    models: tuple[Model, ...]
    backup_url: str = ""
    free_question: str = ""
    credit_price: int = 0
    regions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


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
        found = self.find(provider, name)
        if found is None:
            raise self.unknown(name, tuple(model.name for model in self.models(provider)))
        return found

    def find(self, provider: str, name: str) -> Model | None:
        offered = {model.name: model for model in self.models(provider)}
        wanted = name.strip().lower()
        by_id = {model.id.lower(): model for model in offered.values()}
        return offered.get(wanted) or by_id.get(wanted) or offered.get(usual_name(wanted))

    @staticmethod
    def unknown(name: str, offered: tuple[str, ...]) -> UsageError:
        """What to tell somebody who wants a model that is not offered."""
        near = get_close_matches(usual_name(name) or name.strip().lower(), offered, n=1, cutoff=0.6)
        if near:
            return UsageError(
                text(
                    "No model here is called {name}; did you mean {nearest}? There are: {models}.",
                    name=name,
                    nearest=near[0],
                    models=offered,
                )
            )
        return UsageError(text("No model here is called {name}. There are: {models}.", name=name, models=offered))

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
        return self._with(provider, replace(offer, models=models))

    def only(self, provider: str, names: Collection[str]) -> "Catalogue":
        """The same with these models of a provider and no others."""
        offer = self._offers[provider]
        models = tuple(model for model in offer.models if model.name in names)
        return self._with(provider, replace(offer, models=models))

    def at(self, provider: str, base_url: str) -> "Catalogue":
        """The same with the provider reached at another address, some of which offer less."""
        offer = self._offers[provider]
        moved = self._with(provider, replace(offer, base_url=base_url))
        names = next((names for host, names in offer.regions.items() if host in base_url), None)
        return moved if names is None else moved.only(provider, names)

    def with_credit(self, provider: str, micro_usd: int) -> "Catalogue":
        """The same with prices at what a credit costs."""
        offer = self._offers[provider]
        models = tuple(
            replace(model, prices=((model.max_pixels, model.credits * micro_usd),)) if model.credits else model
            for model in offer.models
        )
        return self._with(provider, replace(offer, models=models, credit_price=micro_usd))

    def _with(self, provider: str, offer: Offer) -> "Catalogue":
        return Catalogue({**self._offers, provider: offer})


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
        left_out = data.get("left_out", ())
        models = tuple(
            _model(provider, name, {**common, **facts["models"][name], **own, **overrides}, facts["tables"])
            for name, own in {**source["models"], **data.get("models", {})}.items()
            if name not in left_out
        )
        offers[provider] = Offer(
            title=data["title"],
            dialect=data.get("dialect", "images"),
            base_url=data["base_url"],
            hosts=tuple(data["hosts"]),
            models=models,
            backup_url=data.get("backup_url", ""),
            free_question=data.get("free_question", ""),
            regions={host: tuple(names) for host, names in data.get("regions", {}).items()},
        )
    catalogue = Catalogue(offers)
    for provider, data in facts["providers"].items():
        if "credit_price" in data:
            catalogue = catalogue.with_credit(provider, data["credit_price"])
    return catalogue


def _model(provider: str, name: str, facts: Mapping[str, Any], tables: Mapping[str, Any]) -> Model:
    table = tables[facts["table"]]
    own: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in facts.items() if key != "table"
    }
    own["tiers"] = {tier: table[tier] for tier in facts["tiers"]}
    own["prices"] = tuple((pixels, price) for pixels, price in facts["prices"])
    inputs = {**facts["inputs"], **own.pop("own_inputs", {})}
    own["inputs"] = InputLimits(**{**inputs, "formats": tuple(inputs["formats"])})
    return Model(provider=provider, name=name, **own)
