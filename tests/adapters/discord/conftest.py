"""The fake Discord for each test, held to Discord's rules at its end, and the demo bot on it."""

import warnings
from collections.abc import AsyncIterator

import pytest_asyncio

with warnings.catch_warnings():
    # discord.py itself imports what Python 3.13 drops.
    warnings.filterwarnings("ignore", "'audioop' is deprecated", DeprecationWarning)
    import discord  # noqa: F401

from tests.simulators.discord.demo_bot import DemoBot
from tests.simulators.discord.fake import FakeDiscord
from tests.simulators.discord.openapi import at_hand
from tests.simulators.discord.running import running


@pytest_asyncio.fixture
async def fake() -> AsyncIterator[FakeDiscord]:
    """A test that ends well leaves no breach of Discord's rules behind."""
    async with FakeDiscord(openapi=at_hand()) as fake:
        yield fake
    assert fake.complaints == []


@pytest_asyncio.fixture
async def bot(fake: FakeDiscord) -> AsyncIterator[DemoBot]:
    async with running(fake) as bot:
        yield bot
