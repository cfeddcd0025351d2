"""The neutral request for pictures, and what can be known about it before anybody is asked."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Mode(StrEnum):
    IMAGINE = "imagine"
    EDIT = "edit"
    BLEND = "blend"
    SERIES = "series"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An input picture, normalised and stored under `blob`; where it is a picture of ours, whose."""

    blob: str
    media_type: str
    width: int
    height: int
    size: int
    generation: str = ""
    index: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest:
    """What is asked of a provider, validated: `size` is a tier that the model offers, or `WxH`."""

    mode: Mode
    prompt: str
    provider: str
    model: str
    size: str
    ratio: str = ""
    count: int = 1
    references: tuple[Reference, ...] = ()
    format: str = ""
    watermark: bool = False

    @property
    def jobs(self) -> int:
        """How many paid requests it takes: independent pictures are asked one by one, a series at once."""
        return 1 if self.mode is Mode.SERIES else self.count

    @property
    def per_job(self) -> int:
        """How many pictures one of them may bring."""
        return self.count if self.mode is Mode.SERIES else 1

    def to_json(self) -> dict[str, Any]:
        data = {name: getattr(self, name) for name in self.__slots__ if name != "references"}
        data["references"] = [{name: getattr(r, name) for name in r.__slots__} for r in self.references]
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "ImageRequest":
        references = tuple(Reference(**reference) for reference in data["references"])
        return cls(**{**data, "mode": Mode(data["mode"]), "references": references})
