from collections.abc import Iterator

import pytest

from tests.simulators import s3
from tests.simulators.s3 import Store


@pytest.fixture(scope="session")
def s3_store() -> Iterator[Store]:
    with s3.serving() as store:
        yield store
