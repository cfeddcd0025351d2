"""The limit: libvips alone encodes the same pictures, from a file on disk to a file on disk, two at a time as we do."""

import asyncio
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

os.environ["VIPS_CONCURRENCY"] = "1"
import pyvips

from bench.runs import pictures
from bench.runs.meter import main, measured


async def work(*, picture: str, in_flight: int, count: int) -> dict[str, Any]:
    pyvips.cache_set_max(0)
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(min(2, in_flight)) as threads:
        small = Path(name) / "small.png"
        pictures.photo(64, small)
        _encode(str(small), f"{name}/small.jpeg")
        with measured() as found:
            targets = [f"{name}/{number}.jpeg" for number in range(count)]
            await asyncio.gather(
                *(asyncio.get_running_loop().run_in_executor(threads, _encode, picture, target) for target in targets)
            )
        size = max(map(_size, targets))
    return {**found, "bytes": size, "count": count}


def _size(file: str) -> int:
    return Path(file).stat().st_size


def _encode(source: str, target: str) -> None:
    pyvips.Image.new_from_file(source, access="sequential", fail_on="error").jpegsave(target, Q=90, keep="icc")


if __name__ == "__main__":
    main(work)
