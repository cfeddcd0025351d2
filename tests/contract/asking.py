"""How the provider contract asks: which benches a test runs for, and what came of one job."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.errors import ProviderError
from bot.providers.base import Event, InputPicture, Job, Produced, Provider, Rejected
from bot.request import Mode
from tests.contract.benches import BENCHES
from tests.fakes import painted
from tests.simulators.base import Fault


def cases(*faults: Fault, mode: Mode = Mode.IMAGINE) -> list[Any]:
    """(bench, fault) for all benches that have the mode and know the fault."""
    return [
        pytest.param(name, fault, id=f"{name}-{fault.name.lower()}")
        for name, entry in BENCHES.items()
        for fault in faults
        if mode in entry.modes and fault in entry.faults
    ]


def having(mode: Mode) -> list[str]:
    return [name for name, entry in BENCHES.items() if mode in entry.modes]


def picture(folder: Path, number: int) -> InputPicture:
    file = folder / f"reference-{number}.png"
    file.write_bytes(painted(f"reference {number}", 640, 480))
    return InputPicture(path=file, media_type="image/png")


def hurried(job: Job) -> Job:
    """With less patience than `Fault.LATE` and `Fault.SILENT` take."""
    return replace(job, model=replace(job.model, timeout=0.2, timeout_per_extra=0.0))


async def events_of(provider: Provider, job: Job, ticket: str = "") -> list[Event]:
    return [event async for event in provider.generate(job, ticket)]


async def error_of(provider: Provider, job: Job, ticket: str = "") -> ProviderError:
    with pytest.raises(ProviderError) as raised:
        await events_of(provider, job, ticket)
    return raised.value


async def ended(provider: Provider, job: Job) -> tuple[list[Produced], list[ProviderError]]:
    """What came, and every error, raised or told of one picture."""
    made: list[Produced] = []
    errors: list[ProviderError] = []
    try:
        async for event in provider.generate(job):
            match event:
                case Produced():
                    made.append(event)
                case Rejected(error=error):
                    errors.append(error)
    except ProviderError as error:
        errors.append(error)
    return made, errors
