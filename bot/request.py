"""The neutral request for pictures, and what can be known about it before anybody is asked."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Mode(StrEnum):
    IMAGINE = "imagine"
    EDIT = "edit"
    BLEND = "blend"
    SERIES = "series"
    LAYERS = "layers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An input picture, normalised and stored under `blob`; where it is a picture of ours, whose.

    alpha: it has transparency.
    """

    blob: str
    media_type: str
    width: int
    height: int
    size: int
    generation: str = ""
    index: int = 0
    alpha: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest:
    """What is asked of a provider, validated: `size` is a tier that the model offers, or `WxH`.

    providers: who could serve it, in order of preference, at least one. ratio: "", "match" or one of the table's.
    optimize, background, format: "" leaves it to the model, as None does with seed and guidance.
    """

    mode: Mode
    prompt: str
    providers: tuple[str, ...]
    model: str
    size: str
    ratio: str = ""
    count: int = 1
    references: tuple[Reference, ...] = ()
    format: str = ""
    watermark: bool = False
    optimize: str = ""
    background: str = ""
    search: bool = False
    seed: int | None = None
    guidance: float | None = None

    @property
    def provider(self) -> str:
        """The one that is preferred."""
        return self.providers[0]

    @property
    def jobs(self) -> int:
        """How many paid requests it takes: independent pictures are asked one by one, a series or layers at once."""
        return 1 if self.mode in (Mode.SERIES, Mode.LAYERS) else self.count

    @property
    def per_job(self) -> int:
        """How many pictures one of them may bring."""
        return self.count // self.jobs

    def to_json(self) -> dict[str, Any]:
        data = {name: getattr(self, name) for name in self.__slots__ if name != "references"}
        data["references"] = [{name: getattr(r, name) for name in r.__slots__} for r in self.references]
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "ImageRequest":
        """Also of what an earlier version stored: it knew one provider."""
        references = tuple(Reference(**reference) for reference in data["references"])
        providers = tuple(data.get("providers") or (data["provider"],))
        own = {name: value for name, value in data.items() if name != "provider"}
        return cls(**{**own, "mode": Mode(data["mode"]), "providers": providers, "references": references})
