from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest_asyncio

from tests.adapters.web.fake_core import FakeCore, core_with_page, serving


@pytest_asyncio.fixture
async def core(tmp_path: Path) -> AsyncIterator[FakeCore]:
    async with core_with_page(tmp_path) as core:
        yield core


@pytest_asyncio.fixture
async def client(core: FakeCore) -> AsyncIterator[aiohttp.ClientSession]:
    """Speaks to the page over a real socket, as alice's browser would."""
    async with serving(core.chat) as address, aiohttp.ClientSession(address) as session:
        yield session
