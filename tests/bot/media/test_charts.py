"""Charts: what is drawn, whatever people call themselves."""

import io
import itertools
import re
from xml.etree import ElementTree

import pytest
from fontTools.ttLib import TTFont
from PIL import Image

from bot.media.charts import (
    DARK,
    FONT,
    LABEL,
    LIGHT,
    SCALE,
    WIDTH,
    Bar,
    Chart,
    Colours,
    Course,
    Panel,
    Ranking,
    draw,
    drawable,
    fitted,
    legible,
    length,
    svg,
)

HOSTILE = (
    "<script>alert(1)</script>",
    "</text></svg><image href='file:///etc/passwd'/>",
    "&xxe; ]]> <!-- %s {0} ${x}",
    "محمد بن سلمان",
    "\u202egnp.exe\u202c",
    "😀👩‍👩‍👧‍👦🇩🇪👍🏽",
    "x" * 500,
    "龍" * 500,
    "𠮷野家",
    "a\u0000b\u001fc\ufffe\ud800d",
    "z̵̧̢̛̗̖̝a̷l̶g̸o̶" * 40,
    "",
    " \n\t\r ",
    "　",
)


def ranking(*names: str) -> Ranking:
    bars = tuple(Bar(label=name, value=number, told=f"{number} {name}") for number, name in enumerate(names))
    return Ranking(title=names[0] if names else "", subtitle=names[-1] if names else "", bars=bars)


def course(values: tuple[int, ...], *, line: bool = False) -> Course:
    panel = Panel(name="Pictures", summary="all", values=values, told=lambda value: f"{value:,}", line=line)
    labels = tuple(str(number) for number in range(1, len(values) + 1))
    return Course(title="Use by day", subtitle="", labels=labels, panels=(panel,))


def texts(chart: Chart) -> list[str]:
    root = ElementTree.fromstring(svg(chart)[0])
    return [each.text or "" for each in root.iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("dark", [False, True])
def test_any_name_is_only_a_name(name: str, dark: bool) -> None:
    written, height = svg(ranking("Ann", name), dark=dark)
    tags = {each.tag.rpartition("}")[2] for each in ElementTree.fromstring(written).iter()}
    picture = Image.open(io.BytesIO(draw(ranking("Ann", name), dark=dark).png))

    assert tags <= {"svg", "rect", "text", "path", "line"}
    assert picture.size == (WIDTH * SCALE, height * SCALE)


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_written_keeps_to_its_room_and_to_the_font(name: str) -> None:
    shown = fitted(name, LABEL, 200)

    assert length(shown, LABEL) <= 200
    assert all(map(drawable, shown))


@pytest.mark.slow
def test_every_letter_that_is_drawn_stands_in_the_font() -> None:
    known = set(TTFont(FONT).getBestCmap())

    assert [chr(code) for code in range(0x110000) if code not in known and drawable(chr(code))] == []
    assert all(map(drawable, "ABCxyz 0123456789 ÄÖÜßéñ ，。、（）《》—… 你好世界设计团队额度"))


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("王小明", "王小明"),
        ("Škoda", "Skoda"),
        ("𝓐𝓵𝓲𝓬𝓮", "Alice"),
        ("Bob 🚀", "Bob □"),
        ("محمدمحمد", "□□□"),
        ("a\n b\t\tc", "a b c"),
        ("\u202eevil\u200b", "evil"),
        ("e\u0301", "é"),
    ],
)
def test_what_the_font_lacks_is_a_box_and_nothing_steers_the_line(written: str, shown: str) -> None:
    assert legible(written) == shown


def test_a_chinese_name_is_really_drawn() -> None:
    """Not as the box for what is missing."""
    drawn = {name: draw(ranking(name)).png for name in ("设计", "团队", "□□")}

    assert len(set(drawn.values())) == 3


def test_the_numbers_are_written() -> None:
    assert {"3", "12", "7"} <= set(texts(course((3, 0, 12, 7))))
    crowded = texts(course((*range(1000, 1029), 1600)))
    assert "1,600" in crowded
    assert "1,010" not in crowded  # there is no room for each
    assert {"0 Ann", "1 Bob"} <= set(texts(ranking("Ann", "Bob")))


@pytest.mark.parametrize("values", [(0,), (0, 0, 0), (1,), (10**15, 1), (-5, 3), tuple(range(366))], ids=str)
@pytest.mark.parametrize("line", [False, True])
def test_any_numbers_can_be_drawn_inside_the_card(values: tuple[int, ...], line: bool) -> None:
    written, height = svg(course(values, line=line))
    draw(course(values, line=line))

    for each in ElementTree.fromstring(written).iter("{http://www.w3.org/2000/svg}text"):
        assert 0 <= float(each.get("y", "0")) <= height
        assert 0 <= float(each.get("x", "0")) <= WIDTH
    for y in re.findall(r'c[xy]="(-?[\d.]+)"', written):
        assert 0 <= float(y) <= max(height, WIDTH)


def test_labels_below_do_not_run_into_each_other() -> None:
    many = course(tuple(range(1, 32)))
    root = ElementTree.fromstring(svg(many)[0])
    below = [each for each in root.iter("{http://www.w3.org/2000/svg}text") if each.get("text-anchor") == "middle"]
    rows: dict[str, list[tuple[float, float]]] = {}
    for each in below:
        half = length(each.text or "", 13) / 2
        x = float(each.get("x", "0"))
        rows.setdefault(each.get("y", ""), []).append((x - half, x + half))

    for row in rows.values():
        for (_, end), (start, _) in itertools.pairwise(sorted(row)):
            assert end < start


@pytest.mark.parametrize("colours", [LIGHT, DARK])
def test_words_and_marks_stand_out_from_the_card(colours: Colours) -> None:
    assert contrast(colours.ink, colours.card) >= 7
    assert contrast(colours.soft, colours.card) >= 4.5
    assert contrast(colours.bar, colours.card) >= 3
    assert contrast(colours.line, colours.card) >= 3


def test_the_card_is_opaque_to_its_corners() -> None:
    """Where a platform makes a JPEG of it, nothing turns black."""
    picture = Image.open(io.BytesIO(draw(ranking("Ann")).png)).convert("RGBA")

    assert picture.getchannel("A").getextrema()[0] >= 250
    assert picture.getpixel((picture.width // 2, 8)) == (255, 255, 255, 255)


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
