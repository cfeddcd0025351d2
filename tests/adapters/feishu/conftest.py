"""The fake Feishu for each test, held to Feishu's rules at its end."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.adapters.feishu.stage import FakeDoor
from tests.simulators.feishu.fake import FakeFeishu


@pytest_asyncio.fixture
async def fake() -> AsyncIterator[FakeFeishu]:
    """A test that ends well leaves no breach of Feishu's rules behind."""
    async with FakeFeishu() as fake:
        yield fake
    assert fake.complaints == []


@pytest.fixture
def door() -> FakeDoor:
    return FakeDoor()
