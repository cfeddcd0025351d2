"""Make the sandbox's font: Noto Sans CJK SC Regular with GB2312, Latin and punctuation only.

    python scripts/font_subset.py [NotoSansCJK-Regular.ttc]

The source is Debian's fonts-noto-cjk; the result and its licence (SIL OFL 1.1) ship with the package.
"""

import sys
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTCollection

SOURCE = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")
TARGET = Path(__file__).parent.parent / "bot/providers/sandbox/fonts/NotoSansCJKsc-Subset.otf"


def characters() -> set[int]:
    """GB2312 (6,763 Han, kana, Greek, Cyrillic), Latin with its common extensions, and general punctuation."""
    wanted = set(range(0x20, 0x7F)) | set(range(0xA0, 0x180)) | set(range(0x2010, 0x2040)) | set(range(0x3000, 0x3020))
    wanted |= set(range(0xFF01, 0xFF5F)) | {0x20AC, 0x2116, 0x2122, 0x2190, 0x2192, 0x25A1, 0xFFFD}
    for row in range(0xA1, 0xF8):
        for cell in range(0xA1, 0xFF):
            try:
                wanted.add(ord(bytes([row, cell]).decode("gb2312")))
            except UnicodeDecodeError:
                continue
    return wanted


def main(source: Path = SOURCE) -> None:
    fonts = TTCollection(source).fonts
    font = next(font for font in fonts if font["name"].getDebugName(1) == "Noto Sans CJK SC")
    options = subset.Options(
        layout_features=[], hinting=False, name_IDs=["*"], notdef_outline=True, desubroutinize=False
    )
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=characters())
    subsetter.subset(font)
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    font.save(TARGET)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
