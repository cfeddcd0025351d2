import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.catalogue import Catalogue, Model, load
from bot.catalogue.sizes import MATCH, known_ratio, matching, pixels, price, resolve, sides, top_tier
from bot.errors import UsageError

CATALOGUE = load()
EVERY = [(provider, model) for provider in CATALOGUE.providers for model in CATALOGUE.models(provider)]


@pytest.mark.parametrize(("provider", "model"), EVERY, ids=lambda value: getattr(value, "name", value))
def test_every_row_of_every_table_is_a_size_that_its_model_takes(provider: str, model: Model) -> None:
    rows = [(tier, ratio, size) for tier, table in model.tiers.items() for ratio, size in table.items()]

    assert rows
    for tier, ratio, size in rows:
        assert resolve(model, size, "") == size
        assert resolve(model, size, ratio) == size
        assert resolve(model, tier, ratio) == size
    assert all("1:1" in table for table in model.tiers.values())


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("seedream-4.5", "seedream-4.5"),
        ("Seedream 4.5", "seedream-4.5"),
        ("seedream4.5", "seedream-4.5"),
        ("4.5", "seedream-4.5"),
        ("4", "seedream-4"),
        ("seedream-4.0", "seedream-4"),
        ("seedream-5", "seedream-5-lite"),
        ("seedream-5.0-lite", "seedream-5-lite"),
        ("seedream-5-0-260128", "seedream-5-lite"),
        ("seedream-5-0-lite-260128", "seedream-5-lite"),
        ("doubao-seedream-4-0-250828", "seedream-4"),
        ("dola-seedream-5-0-pro-260628", "seedream-5-pro"),
        ("5.5", "seedream-5.5"),
        ("flash 5", None),
    ],
)
def test_a_model_is_found_by_the_names_that_people_and_vendors_use(name: str, found: str | None) -> None:
    if found:
        assert CATALOGUE.model("modelark", name).name == found
    else:
        with pytest.raises(UsageError):
            CATALOGUE.model("modelark", name)


def test_an_unknown_model_is_told_the_nearest_and_what_there_is() -> None:
    with pytest.raises(UsageError, match=r"No model here is called seedrem-4.5; did you mean seedream-4.5\? .*5-pro"):
        CATALOGUE.model("modelark", "seedrem-4.5")


def test_the_default_is_4_5_or_what_the_provider_offers_first(catalogue: Catalogue) -> None:
    assert catalogue.default("modelark").name == "seedream-4.5"
    assert catalogue.default("modelark", "seedream-5-pro").name == "seedream-5-pro"
    assert catalogue.default("modelark", "seedream-3").name == "seedream-4.5"


def test_the_sandbox_offers_what_modelark_offers(catalogue: Catalogue) -> None:
    real = {model.name: model.id for model in catalogue.models("modelark")}

    assert {model.name: model.id for model in catalogue.models("sandbox")} == real


def test_wire_ids_can_be_configured(catalogue: Catalogue) -> None:
    changed = catalogue.with_ids("modelark", {"seedream-4.5": "ep-20261121-abc"})

    assert changed.model("modelark", "4.5").id == "ep-20261121-abc"
    assert changed.model("modelark", "ep-20261121-abc").name == "seedream-4.5"
    assert catalogue.model("modelark", "4.5").id == "seedream-4-5-251128"


@pytest.mark.parametrize(
    ("model", "size", "ratio", "wire"),
    [
        ("seedream-4.5", "", "", "2K"),
        ("seedream-4.5", "4k", "", "4K"),
        ("seedream-4.5", "2k", "16:9", "2848x1600"),
        ("seedream-4.5", "", "21：9", "3136x1344"),
        ("seedream-4.5", "", "32:18", "2848x1600"),
        ("seedream-4.5", "2560×1440", "", "2560x1440"),
        ("seedream-4.5", "2560 X 1440", "16:9", "2560x1440"),
        ("seedream-5-pro", "1.5k", "auto", "1.5K"),
        ("seedream-5-pro", "1920*1080", "", "1920x1080"),
        ("seedream-4", "3840x240", "", "3840x240"),
    ],
)
def test_a_size_becomes_what_goes_over_the_wire(model: str, size: str, ratio: str, wire: str) -> None:
    assert resolve(CATALOGUE.model("modelark", model), size, ratio) == wire


TAKES = "seedream-4.5 takes 2K, 4K, or WxH from 3,686,400 to 16,777,216 pixels"


@pytest.mark.parametrize(
    ("size", "ratio", "words"),
    [
        ("1K", "", TAKES),
        ("huge", "", TAKES),
        ("1920x1080", "", "1920x1080 has 2,073,600 pixels: " + TAKES),
        ("8000x8000", "", TAKES),
        ("32000x200", "", "too narrow"),
        ("2048x2048", "16:9", "2048x2048 is not 16:9"),
        ("", "5:7", "5:7 is not a ratio here: seedream-4.5 knows 1:1, 4:3"),
        ("", "0:0", "0:0 is not a ratio"),
    ],
)
def test_a_refused_size_is_told_what_the_model_takes(size: str, ratio: str, words: str) -> None:
    with pytest.raises(UsageError) as refused:
        resolve(CATALOGUE.model("modelark", "4.5"), size, ratio)

    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("model", "size", "references", "micro_usd"),
    [
        ("seedream-4.5", "4K", 14, 40_000),
        ("seedream-5-pro", "1.5K", 1, 45_000),
        ("seedream-5-pro", "2K", 0, 90_000),
        ("seedream-5-pro", "2048x2048", 3, 96_000),
        ("seedream-5.5", "1536x1536", 2, 36_000),
    ],
)
def test_the_price_is_the_most_that_one_picture_can_cost(
    model: str, size: str, references: int, micro_usd: int
) -> None:
    assert price(CATALOGUE.model("modelark", model), size, references) == micro_usd


def test_a_bare_tier_counts_as_its_largest_row() -> None:
    model = CATALOGUE.model("modelark", "4.5")

    assert pixels(model, "2K") == 2848 * 1600
    assert top_tier(model) == "4K"
    assert sides("2048×1024") == (2048, 1024)
    assert sides("2K") is None


# --- in the shape of a picture


@given(
    which=st.sampled_from(EVERY), width=st.integers(1, 40_000), height=st.integers(1, 40_000), tier=st.integers(0, 2)
)
def test_matching_is_valid_for_every_model_and_keeps_the_shape(
    which: tuple[str, Model], width: int, height: int, tier: int
) -> None:
    _, model = which
    assume(not model.matches)
    name = tuple(model.tiers)[tier % len(model.tiers)]
    size = matching(model, name, width, height)

    made = sides(size)
    assert made is not None
    assert resolve(model, size, "") == size
    allowed = min(max(width / height, model.min_aspect), model.max_aspect)
    assert abs(made[0] / made[1] / allowed - 1) < 0.031
    square = pixels(model, model.tiers[name]["1:1"])
    assert size in model.tiers[name].values() or abs(made[0] * made[1] / square - 1) < 0.01


@pytest.mark.parametrize(
    ("model", "tier", "like", "wire"),
    [
        ("seedream-4.5", "2K", (3000, 2000), "2496x1664"),  # a row of the table
        ("seedream-4.5", "2K", (3080, 2000), "2496x1664"),  # within three per cent of it
        ("seedream-4.5", "2K", (3100, 2000), "2550x1645"),  # beyond
        ("seedream-5.5", "2K", (3100, 2000), "2548x1644"),  # not one pixel more than it takes
        ("seedream-4.5", "2K", (9000, 10), "8192x512"),  # clamped to 16:1
        ("seedream-4.5", "2K", (10, 9000), "512x8192"),
    ],
)
def test_matching_takes_the_row_or_the_same_shape(model: str, tier: str, like: tuple[int, int], wire: str) -> None:
    assert resolve(CATALOGUE.model("modelark", model), tier, MATCH, like=like) == wire


def test_a_picture_that_is_not_known_yet_comes_to_the_bare_tier() -> None:
    assert resolve(CATALOGUE.model("modelark", "4.5"), "4k", MATCH) == "4K"


@pytest.mark.parametrize("written", ["match", " Match ", "参考图", "原图"])
def test_match_has_other_names(written: str) -> None:
    assert known_ratio(written) == MATCH
    assert known_ratio("16:9") == "16:9"
