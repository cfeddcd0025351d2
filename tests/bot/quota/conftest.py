from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bot.quota.books import Books


@pytest.fixture
def books(migrated: Path) -> Iterator[Books]:
    books = Books(migrated)
    yield books
    books.close()
