"""What may come next while somebody types an order, by the words before it: `limit` has other words than `team`."""

from collections.abc import Mapping, Sequence

from bot.command import TEAM, TIER
from bot.commands.admin_words import EXPORTS, LIMIT_KINDS, TEAM_VERBS, TIER_RULES, TIER_VERBS
from bot.commands.space_rules import ALL, DEFAULT, OFF, RULES
from bot.i18n import LANGUAGES
from bot.moderation.policy import ALWAYS, NEVER
from bot.moderation.words import VERDICTS

AMOUNTS = (
    *("20 images per day", "100 images per month", "5 usd per day", "50 usd per month", "500 images total"),
    *("none images per day", "unlimited images per day", DEFAULT),
)


def admin(models: Sequence[str], sizes: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """Of /admin: what may stand behind an area, and behind an area and a rule. TEAM, TIER: the names of those there."""
    return {
        "space": RULES,
        "team": TEAM_VERBS,
        "limit": LIMIT_KINDS,
        "tier": TIER_VERBS,
        "role": ("team", "tier", "off"),
        "grants": ("end",),
        "export": EXPORTS,
        **{f"space {rule}": values for rule, values in _space(models, sizes).items()},
        "team rename": (f"{TEAM} to",),
        **{f"team {verb}": (TEAM,) for verb in TEAM_VERBS if verb not in ("create", "rename")},
        **{f"limit {kind}": AMOUNTS for kind in ("person", "space", "all")},
        **{f"limit {kind}": tuple(f"{TEAM} {each}" for each in AMOUNTS) for kind in ("team", "share")},
        "limit tier": tuple(f"{TIER} {each}" for each in AMOUNTS),
        **{f"tier {verb}": (TIER,) for verb in TIER_VERBS if verb not in ("create", "set")},
        "tier set": tuple(f"{TIER} {rule}" for rule in _bounds(models, sizes)),
        "role team": (TEAM,),
        "role tier": (TIER,),
    }


def team() -> Mapping[str, tuple[str, ...]]:
    """Of /team, behind what is to be done."""
    return {
        **dict.fromkeys(("show", "add", "remove"), (TEAM,)),
        "share": tuple(each for each in AMOUNTS if "unlimited" not in each),
        "grant": ("20 images until end of month", "20 images until 3d", "5 usd until 3d"),
    }


def _space(models: Sequence[str], sizes: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    room = (OFF,)
    return {
        "channels": ("add", "remove", ALL),
        "model": (*models, DEFAULT),
        "size": (*sizes, DEFAULT),
        "private": ("yes", "no", DEFAULT),
        "language": (*LANGUAGES, DEFAULT),
        "log": room,
        "alerts": room,
        "review": (ALL, *room),
        "zone": ("Asia/Shanghai", "Europe/Berlin", "America/New_York", "UTC", DEFAULT),
        "words": (*(f"add {verdict}" for verdict in VERDICTS), "remove", f"remove {ALL}"),
        "models": (*models, ALL),
        "watermark": (ALWAYS, NEVER, DEFAULT),
        "digest": ("on", "off"),
    }


def _bounds(models: Sequence[str], sizes: Sequence[str]) -> tuple[str, ...]:
    values = {"models": models, "size": sizes, "references": ("4",), "series": ("4",), "rank": ("1", "2")}
    return tuple(f"{rule} {value}" for rule in TIER_RULES for value in (*values.get(rule, ("2",)), DEFAULT))
