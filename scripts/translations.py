"""Keeps the translations: finds the marked sentences, updates each language's `.po`, compiles its `.mo`.

    python scripts/translations.py update     # after sentences were added or changed: then translate what is empty
    python scripts/translations.py compile    # after a `.po` was edited

Needs Babel (in the test group). `tests/test_translations.py` says what is missing.
"""

import io
import sys
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parent.parent
LOCALES = ROOT / "bot" / "locales"
LANGUAGES = ("zh_CN",)
# How sentences are marked: `bot.i18n.text` and `bot.i18n.plural`.
KEYWORDS = {"text": (1,), "plural": (1, 2)}


def extracted() -> Catalog:
    """Every marked sentence of the product, in a stable order."""
    catalogue = Catalog(project="seedream-bot", fuzzy=False)
    for package in ("bot", "adapters"):
        found = extract_from_dir(
            str(ROOT / package), method_map=[("**.py", "python")], keywords=KEYWORDS, comment_tags=("Translators:",)
        )
        for file, _, message, comments, context in sorted(found, key=lambda each: (each[0], each[1])):
            if "migrations" in file:  # `text` is a column there
                continue
            if message and message != ("", ""):
                catalogue.add(message, None, [(f"{package}/{file}", 0)], auto_comments=comments, context=context)
    return catalogue


def po(language: str) -> Path:
    return LOCALES / language / "LC_MESSAGES" / "bot.po"


def read(language: str) -> Catalog:
    if not po(language).exists():
        return Catalog(locale=language, project="seedream-bot", fuzzy=False)
    with po(language).open("rb") as file:
        return read_po(file, locale=language)


def compiled(language: str) -> bytes:
    buffer = io.BytesIO()
    catalogue = read(language)
    # Babel puts the present minute into a header that says nothing else.
    catalogue.creation_date = catalogue.revision_date = datetime(2026, 1, 1, tzinfo=UTC)
    write_mo(buffer, catalogue)
    return buffer.getvalue()


def update(language: str) -> None:
    """Bring in new sentences without a guess at their translation, and drop those that are gone."""
    known = read(language)
    fresh = extracted()
    renewed = Catalog(locale=language, project="seedream-bot", fuzzy=False)
    for message in fresh:
        if message.id:
            old = known.get(message.id, message.context)
            string = old.string if old else ""
            renewed.add(
                message.id, string, message.locations, auto_comments=message.auto_comments, context=message.context
            )
    po(language).parent.mkdir(parents=True, exist_ok=True)
    with po(language).open("wb") as file:
        write_po(file, renewed, omit_header=False, width=120, include_lineno=False, sort_by_file=False)
    _drop_dates(po(language))


def _drop_dates(file: Path) -> None:
    """Dates and versions in the header change with every run and tell nothing."""
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    noise = (
        "# FIRST AUTHOR",
        "# Copyright (C)",
        '"POT-Creation-Date',
        '"PO-Revision-Date',
        '"Generated-By',
        '"Last-Translator',
        '"Report-Msgid',
    )
    file.write_text("".join(line for line in lines if not line.startswith(noise)), encoding="utf-8")


def main() -> None:
    if len(sys.argv) != 2 or sys.argv[1] not in ("update", "compile"):
        raise SystemExit(__doc__)
    for language in LANGUAGES:
        if sys.argv[1] == "update":
            update(language)
        po(language).with_suffix(".mo").write_bytes(compiled(language))


if __name__ == "__main__":
    main()
