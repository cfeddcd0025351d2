"""Tiers: named bundles of limits and of what may be asked for. No I/O.

The operator's tiers say what a person may use everywhere; those of a space what somebody may use in that space. Who
holds one of each is bound by both.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.errors import NotAllowed
from bot.i18n import Text, plural, text, verbatim

# A picture that is 2K and not square has up to so much more than 2048 x 2048 pixels.
SLACK = 1.125
SIZE = re.compile(r"(\d{1,2})[kK]|(\d{1,6})[xX×](\d{1,6})")

Limits = Mapping[tuple[str, str], int | None]
"""(unit, window) -> pictures or micro-USD; None is unlimited, 0 none; what is not named is not the tier's matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """models, size ("2K", the largest), references, series (pictures at once): () / "" / None where it sets no bounds.

    in_flight: how many requests of a person run at once, None for the usual; priority: in the line. Only the
    operator's tiers have these. space: whose tier it is, "" for the operator's.
    """

    name: str
    space: str = ""
    rank: int = 0
    limits: Limits = field(default_factory=dict)
    models: tuple[str, ...] = ()
    size: str = ""
    references: int | None = None
    series: int | None = None
    in_flight: int | None = None
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What of a request a tier may have bounds for; what is not known yet is left as it is here."""

    model: str = ""
    size: str = ""
    references: int = 0
    pictures: int = 1


def best(tiers: Iterable[Tier]) -> Tier | None:
    """The one of the highest rank; of several, the first by name."""
    return min(tiers, key=lambda tier: (-tier.rank, tier.name), default=None)


def check(held: Iterable[Tier], asked: Asked, known: Iterable[Tier] = ()) -> None:
    """Raises `NotAllowed` where one of the tiers that somebody holds does not allow it.

    known: all tiers that there are, to name those that would allow it.
    """
    others = tuple(known)
    for tier in held:
        refused = _refusal(tier, asked)
        if refused is None:
            continue
        better = [each.name for each in others if each.space == tier.space and _refusal(each, asked) is None]
        names = tuple(sorted(set(better) - {tier.name}))
        allowed = plural("{tiers} allows it.", "{tiers} allow it.", len(names), tiers=names) if names else None
        raise NotAllowed(text("{refused} {allowed}", refused=refused, allowed=allowed) if allowed else refused)


def allows(held: Iterable[Tier], asked: Asked) -> bool:
    """For menus: whether it would not be refused."""
    return all(_refusal(tier, asked) is None for tier in held)


def pixels(size: str) -> float | None:
    """How many a size has, "2K" or "2048x1024"; None where it says nothing that can be counted."""
    found = SIZE.fullmatch(size.strip())
    if found is None:
        return None
    return (int(found[1]) * 1024) ** 2 * SLACK if found[1] else float(int(found[2]) * int(found[3]))


def to_json(tier: Tier) -> dict[str, Any]:
    """Without name and space, and only what it sets."""
    limits: dict[str, dict[str, int | None]] = {}
    for (unit, window), amount in tier.limits.items():
        limits.setdefault(unit, {})[window] = amount
    said: dict[str, Any] = {name: getattr(tier, name) for name in ("rank", "size", "priority")}
    said = {name: value for name, value in said.items() if value}
    bounds = {name: getattr(tier, name) for name in ("references", "series", "in_flight")}
    said |= {name: value for name, value in bounds.items() if value is not None}
    said |= {"models": list(tier.models)} if tier.models else {}
    return said | ({"limits": limits} if limits else {})


def from_json(name: str, stored: Mapping[str, Any], space: str = "") -> Tier:
    """Of what `to_json` made, or the settings; what a later version added is left out."""
    limits = {
        (unit, window): amount
        for unit, windows in stored.get("limits", {}).items()
        for window, amount in windows.items()
    }
    known = {"rank", "size", "references", "series"} | (set() if space else {"in_flight", "priority"})
    plain = {each: stored[each] for each in known if each in stored}
    return Tier(name=name, space=space, limits=limits, models=tuple(stored.get("models", ())), **plain)


def _refusal(tier: Tier, asked: Asked) -> Text | None:
    """Why a tier does not allow it, or None."""
    values: dict[str, Any] = {"tier": verbatim(tier.name)}
    if tier.models and asked.model and asked.model not in tier.models:
        return text("The tier {tier} does not include {model}.", model=asked.model, **values)
    most, wanted = pixels(tier.size), pixels(asked.size)
    if most is not None and wanted is not None and wanted > most:
        return text("The tier {tier} goes up to {size}.", size=tier.size, **values)
    if tier.references is not None and asked.references > tier.references:
        return plural(
            "The tier {tier} takes at most one picture as a reference.",
            "The tier {tier} takes at most {count} pictures as references.",
            tier.references,
            **values,
        )
    if tier.series is not None and asked.pictures > tier.series:
        return plural(
            "The tier {tier} makes one picture at a time.",
            "The tier {tier} makes at most {count} pictures at a time.",
            tier.series,
            **values,
        )
    return None
