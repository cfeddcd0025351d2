"""Writes the tables of docs/providers.md between their markers, from the catalogue and the settings.

    python scripts/providers.py

`tests/test_docs_providers.py` says when they are out of date.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from bot.capabilities import cost, picture_cost
from bot.catalogue import Catalogue, Model, load
from bot.catalogue.sizes import price
from bot.request import ImageRequest, Mode, Reference
from bot.settings import Settings, describe
from scripts.readme import between

PAGE = Path(__file__).parent.parent / "docs" / "providers.md"
SPEAKS = {"images": "the Images API", "apiframe": "its own API, version 2", "novita": "its own API, version 3"}
SANDBOX = "sandbox"  # it offers what ModelArk does, and nobody pays for it
ONE = Reference(blob="", media_type="image/png", width=1024, height=1024, size=1)

Row = Sequence[str]
Facts = Callable[[Model], Row]


def providers_table(catalogue: Catalogue) -> str:
    head = ("Provider", "In `BOT_PROVIDERS`", "Speaks", "Address", "Needs", "May be set")
    return _markdown(head, (_provider(catalogue, name) for name in catalogue.providers))


def ids_table(catalogue: Catalogue) -> str:
    """Who has which model, and what it is called there."""
    providers = [name for name in _paid(catalogue) if catalogue.offer(name).base_url]
    rows = ([_code(model), *(_id(catalogue, each, model) for each in providers)] for model in _names(catalogue))
    return _markdown(("Model", *map(_code, providers)), rows)


def models_table(catalogue: Catalogue) -> str:
    head = ("Model", "Providers", "Commands", "References", "Sizes", "Formats", "Options")
    return _markdown(head, _grouped(catalogue, _facts))


def prices_table(catalogue: Catalogue) -> str:
    head = ("Model", "Providers", "USD a picture", "USD a reference", "USD a layer")
    return _markdown(head, _grouped(catalogue, _prices))


TABLES = {"providers": providers_table, "ids": ids_table, "models": models_table, "prices": prices_table}


def written(words: str) -> str:
    """The page as it should be."""
    catalogue = load()
    for name, table in TABLES.items():
        words = between(name, table(catalogue), words)
    return words


def main() -> None:
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def _provider(catalogue: Catalogue, name: str) -> Row:
    offer = catalogue.offer(name)
    own = [setting.name for setting in describe() if setting.path[:1] == (name,)]
    needed = Settings().lacks(name)
    regions = (f"at `{host}` only {_codes(models)}" for host, models in offer.regions.items())
    address = _code(offer.base_url) if offer.base_url else "this machine" if name == SANDBOX else "yours"
    anchor = offer.title.lower().replace(" ", "-")
    return (
        f"[{offer.title}](#{anchor})",
        _code(name),
        SPEAKS[offer.dialect],
        "; ".join((address, *regions)),
        _code(needed) if needed else "nothing",
        _codes(each for each in own if each != needed),
    )


def _id(catalogue: Catalogue, provider: str, name: str) -> str:
    return next((_code(model.id) for model in catalogue.models(provider) if model.name == name), "")


def _facts(model: Model) -> Row:
    span = f"{model.min_pixels:,} to {model.max_pixels:,} pixels"
    return (
        " ".join(f"`/{mode}`" for mode in _modes(model)),
        str(model.references or ""),
        f"{', '.join(model.tiers)}; {span}",
        ", ".join(model.formats),
        "; ".join(_options(model)),
    )


def _modes(model: Model) -> Iterator[Mode]:
    able = {
        Mode.EDIT: model.references > 0,
        Mode.BLEND: model.references > 1,
        Mode.SERIES: model.series,
        Mode.LAYERS: model.layers > 0,
    }
    return (mode for mode in Mode if able.get(mode, True))


def _options(model: Model) -> Iterator[str]:
    if len(model.optimize) > 1:
        yield f"`optimize` {', '.join(model.optimize)}"
    if len(model.backgrounds) > 1:
        condition = " (transparent needs one picture with transparency)" if model.alpha_for_transparent else ""
        yield f"`background` {', '.join(model.backgrounds)}{condition}"
    if model.search:
        yield "`search`"
    if model.seed:
        yield "`seed`"
    if model.guidance:
        yield "`guidance` {:g} to {:g}".format(*model.guidance)


def _prices(model: Model) -> Row:
    credits = f" ({model.credits} credits)" if model.credits else ""
    beyond = f" from number {model.free_references + 1} on" if model.free_references else ""
    reference = f"{_usd(model.reference_price)} each{beyond}" if model.reference_price else ""
    return f"{_picture_price(model)}{credits}", reference, _layers_price(model)


def _picture_price(model: Model) -> str:
    if len(model.prices) == 1:
        return _usd(model.prices[0][1])
    *steps, (_, last) = model.prices
    told = [f"{_usd(amount)} up to {pixels:,} pixels ({_tiers(model, amount)})" for pixels, amount in steps]
    return ", ".join((*told, f"{_usd(last)} above ({_tiers(model, last)})"))


def _tiers(model: Model, amount: int) -> str:
    return ", ".join(tier for tier in model.tiers if price(model, tier, 0) == amount)


def _layers_price(model: Model) -> str:
    if not model.layers:
        return ""
    asked = [
        ImageRequest(
            mode=Mode.LAYERS,
            prompt="",
            providers=(model.provider,),
            model=model.name,
            size=tier,
            count=model.layers,
            references=(ONE,),
        )
        for tier in model.tiers
    ]
    each = dict.fromkeys(_usd(picture_cost(model, request.size, request)) for request in asked)
    most = max(cost(model, request) for request in asked)
    return f"{' or '.join(each)}; at most {model.layers}, together {_usd(most)}"


def _grouped(catalogue: Catalogue, facts: Facts) -> Iterator[Row]:
    """A row for every model and all that offer it in the same way."""
    for name in _names(catalogue):
        alike: dict[Row, list[str]] = {}
        for provider in _paid(catalogue):
            for model in catalogue.models(provider):
                if model.name == name:
                    alike.setdefault(tuple(facts(model)), []).append(provider)
        for cells, providers in alike.items():
            yield (_code(name), _codes(providers), *cells)


def _paid(catalogue: Catalogue) -> list[str]:
    return [name for name in catalogue.providers if name != SANDBOX]


def _names(catalogue: Catalogue) -> list[str]:
    return sorted({model.name for provider in _paid(catalogue) for model in catalogue.models(provider)})


def _usd(micro: int) -> str:
    return f"{micro / 1_000_000:g}"


def _code(words: str) -> str:
    return f"`{words}`"


def _codes(words: Iterable[str]) -> str:
    return ", ".join(map(_code, words))


def _markdown(head: Row, rows: Iterable[Row]) -> str:
    lines = (head, ["---"] * len(head), *rows)
    return "".join(f"|{''.join(f' {cell} |' if cell else ' |' for cell in cells)}\n" for cells in lines)


if __name__ == "__main__":
    main()
