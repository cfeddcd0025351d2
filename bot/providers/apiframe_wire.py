"""What goes to Apiframe and what its answers mean, without any I/O.

Its schema is strict at both levels and answers 400 to an unknown key, so only what a model knows is sent.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bot.catalogue import Model
from bot.catalogue.sizes import pixels, sides
from bot.errors import (
    ContentRefused,
    OutcomeUnknown,
    ProviderBusy,
    ProviderError,
    ProviderMisconfigured,
    ProviderRefused,
)
from bot.i18n import text
from bot.providers.base import Job
from bot.providers.refusals import refusal, seconds_of

MOST_WORDS = 1000  # of a failure's text, in characters
_FORMATS = {"jpeg": "jpg"}
_MODERATED = re.compile(r"sensitive|content.?policy|moderat|nsfw|safety|flagged|敏感|违规", re.IGNORECASE)
_STAGES = (
    (re.compile(r"(output|generated|resulting).?(image|picture|content)", re.IGNORECASE), "result"),
    (re.compile(r"(input|reference|source|uploaded).?(image|picture)", re.IGNORECASE), "reference"),
)


def wire_fields(job: Job) -> dict[str, Any]:
    """The body but for references and the webhook. The job's size is one that the catalogue says it takes."""
    model = job.model
    own = _size_fields(job)
    if len(model.formats) > 1:
        wanted = job.format or model.formats[0]
        own["output_format"] = _FORMATS.get(wanted, wanted)
    if "off" in model.optimize and job.optimize:
        own["enhance_prompt"] = job.optimize != "off"
    if model.seed and job.seed is not None:
        own["seed"] = job.seed
    if model.guidance and job.guidance is not None:
        own["guidance_scale"] = job.guidance
    return {"model": model.id, "prompt": job.prompt, "seedreamParams": own}


def links(result: Any) -> list[str]:
    """The addresses in a `result`, which has no schema: a string, a list, `{"images": […]}` or `{"url": …}`."""
    entries = result.get("images", result) if isinstance(result, dict) else result
    found = (_link(entry) for entry in (entries if isinstance(entries, list) else [entries]))
    return [link for link in found if link]


def failure(job_id: str, words: object) -> ProviderError:
    """Why a job ended as FAILED: only its text tells. Failed jobs are refunded.

    The text itself goes nowhere, because it may repeat the prompt.
    """
    said = str(words or "")[:MOST_WORDS]
    detail = f"job {job_id} failed"
    if _MODERATED.search(said):
        stage = next((stage for pattern, stage in _STAGES if pattern.search(said)), "words")
        return ContentRefused(stage, detail=detail)
    return ProviderRefused(text("it could not draw this picture"), detail=detail)


def refused(
    status: int, body: bytes, *, retry_after: str, request_id: str, now: datetime, hide: tuple[str, ...]
) -> ProviderError:
    """The error that an answer with an error status means. hide: secrets that the server may say back to us."""
    match status, parsed(body):
        case 400, {"details": dict(details)} if details:
            body = json.dumps({"error": _told(details)}).encode()
        case 402, {"creditsRequired": int(needed), "creditsAvailable": int(left)}:
            return ProviderMisconfigured(detail=f"needs {needed} credits, {left} left")
        case 409, _:
            return OutcomeUnknown(detail=f"409: the key was used with another body, request {request_id or 'unknown'}")
        case 503, {"error": str()}:  # its own words: its queue or database is away, and nothing was taken
            wait = seconds_of(retry_after, now)
            return ProviderBusy(retry_after=wait, detail=f"503 request {request_id or 'unknown'}")
    return refusal(status, body, retry_after=retry_after, request_id=request_id, now=now, hide=hide)


def parsed(body: bytes) -> Any:
    """None for what is not JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _size_fields(job: Job) -> dict[str, Any]:
    model = job.model
    exact = sides(job.size)
    tier, ratio = _row(model, job.size) if exact else (job.size, "")
    if job.ratio == "match":
        tier, ratio = tier or _nearest_tier(model, *exact) if exact else tier, "match_input_image"
    elif exact and not tier:
        return _custom(model, *exact)
    return _without_empty({"size": tier if _knows_size(model) else "", "aspect_ratio": ratio})


def _nearest_tier(model: Model, width: int, height: int) -> str:
    """The tier whose square has about as many pixels."""
    return min(model.tiers, key=lambda tier: abs(pixels(model, model.tiers[tier]["1:1"]) - width * height))


def _row(model: Model, size: str) -> tuple[str, str]:
    """Tier and ratio of a size that stands in the model's table, else two empty strings."""
    rows = ((tier, ratio) for tier, table in model.tiers.items() for ratio in table if table[ratio] == size)
    return next(rows, ("", ""))


def _custom(model: Model, width: int, height: int) -> dict[str, Any]:
    own = {"width": width, "height": height}
    return {"size": "custom", **own} if _knows_size(model) else own


def _knows_size(model: Model) -> bool:
    """With a single tier there is nothing to choose, and Seedream 3 has no such key."""
    return len(model.tiers) > 1


def _without_empty(fields: Mapping[str, str]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}


def _link(entry: Any) -> str:
    match entry:
        case str(url) | {"url": str(url)}:
            return url
        case _:
            return ""


def _told(details: Mapping[str, Any]) -> str:
    """`{"path": ["message"]}` in one line."""
    told = ((path, said if isinstance(said, list) else [said]) for path, said in details.items())
    return "; ".join(f"{path}: {', '.join(map(str, messages))}" for path, messages in told)
