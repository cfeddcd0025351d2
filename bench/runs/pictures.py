"""Pictures to measure with, the same ones every time."""

from pathlib import Path

import pyvips


def photo(side: int, file: Path) -> None:
    """Broad shapes, texture and grain: as large as a photograph is as PNG (28 MiB at 4096) and as JPEG (6.5 MiB)."""
    luma = _layer(side, 16, 7) * 10 + _layer(side, 4, 8) * 10
    luma += pyvips.Image.gaussnoise(side, side, sigma=10, mean=128, seed=9)
    bands = [_layer(side, 512, band) * 60 + _layer(side, 64, band + 10) * 30 + luma for band in (1, 2, 3)]
    _srgb(bands[0].bandjoin(bands[1:])).pngsave(str(file), compression=6, filter="all")


def noise(size: int, file: Path) -> None:
    """A PNG of very nearly so many bytes: noise, which nothing compresses."""
    side = round((size / 3) ** 0.5)
    bands = [pyvips.Image.gaussnoise(side, side, sigma=60, mean=128, seed=band) for band in (1, 2, 3)]
    _srgb(bands[0].bandjoin(bands[1:])).pngsave(str(file), compression=0)


def _layer(side: int, cell: int, seed: int) -> pyvips.Image:
    return pyvips.Image.perlin(side, side, cell_size=cell, seed=seed)


def _srgb(image: pyvips.Image) -> pyvips.Image:
    return image.cast("uchar").copy(interpretation="srgb")
