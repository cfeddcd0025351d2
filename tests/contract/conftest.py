from collections.abc import AsyncIterator, Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bot.providers.base import Job
from bot.request import Mode
from tests.contract.asking import picture
from tests.contract.benches import BENCHES
from tests.contract.own_benches import CATALOGUE, Bench


@pytest_asyncio.fixture(params=BENCHES)
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    async with BENCHES[request.param].open() as bench:
        yield bench


@pytest.fixture
def job(bench: Bench, tmp_path: Path) -> Callable[..., Job]:
    """Makes a job of the smallest size, each with a folder of its own."""
    made = count()

    def make(mode: Mode = Mode.IMAGINE, **wanted: Any) -> Job:
        number = next(made)
        folder = tmp_path / f"job-{number}"
        folder.mkdir()
        references = tuple(picture(tmp_path, at) for at in range({Mode.EDIT: 1, Mode.BLEND: 3}.get(mode, 0)))
        model = CATALOGUE.model(bench.offer, bench.model)
        own: dict[str, Any] = {"prompt": "a red fox", "size": bench.size, "references": references}
        match mode:
            case Mode.SERIES:
                own |= {"series": True, "images": 3}
            case Mode.LAYERS:
                model = CATALOGUE.model(bench.offer, "seedream-5-pro")
                own |= {"prompt": "", "layers": True, "images": model.layers, "size": "1K"}
                own["references"] = (picture(tmp_path, 0),)
        return Job(**{"id": f"k3f9w2ab:{number}", "model": model, "folder": folder, **own, **wanted})

    return make
