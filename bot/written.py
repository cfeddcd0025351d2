"""Kinds of values as people write them: `"24h"`, `"30MiB"`, `["alice"]`, `{"images": {"day": 50}}`.

Each reads the text of a variable and the value of a TOML file alike. A message goes on where "BOT_NAME" ended.
"""

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, PlainValidator, SecretStr

UNITS = ("images", "usd")
WINDOWS = ("day", "week", "month", "total")
TIER_RULES = ("rank", "limits", "models", "size", "references", "series", "in_flight", "priority")

_MICRO = 1_000_000
_MOST = 10**15  # above any sensible limit, far below what a 64-bit column holds


def _read_json(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return None


def _read_words(value: object) -> tuple[str, ...]:
    match _read_json(value):
        case list() | tuple() as words if all(isinstance(word, str) and word.strip() for word in words):
            return tuple(word.strip() for word in words)
    raise ValueError('must be a list such as ["first", "second"]')


def _read_ids(value: object) -> Mapping[str, str]:
    match _read_json(value):
        case dict() as ids if all(isinstance(each, str) and each.strip() for each in (*ids, *ids.values())):
            return {name.strip(): wire.strip() for name, wire in ids.items()}
    raise ValueError('must be a table such as {"seedream-4.5": "ep-20260101000000-abcde"}')


def _check_key(value: SecretStr | None) -> SecretStr | None:
    """An empty one is as good as none. What is not one line would break the header that it is sent in."""
    if value is None or not value.get_secret_value().strip():
        return None
    if not value.get_secret_value().isprintable():
        raise ValueError("must be one line of printable characters")
    return value


def _read_duration(value: object, *, bare: str) -> timedelta:
    if isinstance(value, timedelta):
        return value
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?) *([smhd]?)", str(value))
    if found is None:
        raise ValueError('must be a time such as "90s", "15m", "24h" or "7d"')
    units = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
    return timedelta(**{units[found[2] or bare]: float(found[1])})


def _read_size(value: object) -> int:
    found = re.fullmatch(r"(\d{1,15}) *(|B|KiB|MiB|GiB|TiB)", str(value))
    if found is None or int(found[1]) == 0:
        raise ValueError('must be a size such as "30MiB" or "10GiB"')
    bits = {"KiB": 10, "MiB": 20, "GiB": 30, "TiB": 40}
    return int(found[1]) << bits.get(found[2], 0)


def _read_allowance(value: object) -> Mapping[str, Mapping[str, int | None]]:
    table = _read_json(value)
    if not isinstance(table, dict) or not all(isinstance(windows, dict) for windows in table.values()):
        raise ValueError('must be a table such as {"images": {"day": 50}, "usd": {"month": "12.50"}}')
    for unit, windows in table.items():
        if unit not in UNITS:
            raise ValueError(f"has the unknown unit {unit}; there are {' and '.join(UNITS)}")
        for window in windows:
            if window not in WINDOWS:
                raise ValueError(f"has the unknown window {window}; there are {', '.join(WINDOWS)}")
    return {
        unit: {window: _read_limit(limit, unit=unit, window=window) for window, limit in windows.items()}
        for unit, windows in table.items()
    }


def _read_tiers(value: object) -> Mapping[str, Mapping[str, object]]:
    table = _read_json(value)
    if not isinstance(table, dict) or not all(isinstance(rules, dict) for rules in table.values()):
        raise ValueError('must be a table such as {"pro": {"rank": 1, "limits": {"images": {"day": 200}}}}')
    return {
        _tier_name(name): {key: _tier_rule(name, key, rule) for key, rule in rules.items()}
        for name, rules in table.items()
    }


def _tier_name(name: str) -> str:
    if not re.fullmatch(r"[\w-]{1,32}", name):
        raise ValueError(f"has a tier with the name {name[:40]!r}: it must be one word of letters and digits")
    return name


def _tier_rule(tier: str, key: str, rule: object) -> object:
    """In the form in which tiers are stored."""
    match key, rule:
        case "limits", _:
            try:
                return _read_allowance(rule)
            except ValueError as error:
                raise ValueError(f"has a tier {tier} whose limits are wrong: {error}") from None
        case "models", list() | tuple() if rule and all(isinstance(each, str) and each for each in rule):
            return list(rule)
        case "size", str() if re.fullmatch(r"\d{1,2}K|\d{1,5}x\d{1,5}", rule):
            return rule
        case (("rank" | "priority"), bool()):
            pass
        case (("rank" | "priority"), int()) if abs(rule) <= _MOST:
            return rule
        case (("references" | "series" | "in_flight"), bool()):
            pass
        case (("references" | "series" | "in_flight"), int()) if (0 if key == "references" else 1) <= rule <= _MOST:
            return rule
        case _ if key not in TIER_RULES:
            raise ValueError(f"has a tier {tier} with the unknown rule {key}; there are {', '.join(TIER_RULES)}")
    wanted = {
        "models": 'a list such as ["seedream-4.5"]',
        "size": 'a size such as "2K" or "2048x2048"',
        "references": "a whole number from 0 on",
        "series": "a whole number from 1 on",
        "in_flight": "a whole number from 1 on",
    }
    raise ValueError(f"has a wrong {tier}.{key}: it must be {wanted.get(key, 'a whole number')}")


def _read_limit(limit: object, *, unit: str, window: str) -> int | None:
    match unit, limit:
        case _, "unlimited":
            return None
        case _, "none":
            return 0
        case _, bool():
            pass
        case "images", int(images) if 0 <= images <= _MOST:
            return images
        case "usd", int() | float() | str() if (micro := _micro(str(limit))) is not None:
            return micro
    number = "a whole number" if unit == "images" else "an amount with at most six decimals"
    raise ValueError(f'has a wrong {unit}.{window}: it must be {number} from 0 on, "unlimited" or "none"')


def _micro(amount: str) -> int | None:
    """Micro-USD of an amount in USD, or None where that is no whole number to count with."""
    try:
        micro = Decimal(amount) * _MICRO
    except InvalidOperation:
        return None
    return int(micro) if micro.is_finite() and 0 <= micro <= _MOST and micro == int(micro) else None


def _check_address(value: str) -> str:
    if re.fullmatch(r"https?://[^\s/?#]+[^\s?#]*", value) is None:
        raise ValueError("must be an address such as https://example.com")
    return value.rstrip("/")


def _check_database(value: str) -> str:
    if not value.startswith(("sqlite:///", "postgresql://")):
        raise ValueError("must begin with sqlite:/// or postgresql://")
    return value


def _check_blobs(value: str) -> str:
    if not value.startswith(("file:///", "s3://")):
        raise ValueError("must begin with file:/// or s3://")
    return value


def _check_time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (LookupError, ValueError, OSError):  # OSError: a folder of zones, such as "Europe"
        raise ValueError("must be a time zone such as Asia/Shanghai or Europe/Berlin") from None
    return value


def _read_folder(value: object) -> Path:
    if not isinstance(value, str | Path):
        raise ValueError("must be the path of a folder")
    return Path(value).expanduser().absolute()


Address = Annotated[str, AfterValidator(_check_address)]
Allowance = Annotated[Mapping[str, Mapping[str, int | None]], PlainValidator(_read_allowance)]
BlobsUrl = Annotated[str, AfterValidator(_check_blobs)]
DatabaseUrl = Annotated[str, AfterValidator(_check_database)]
Folder = Annotated[Path, PlainValidator(_read_folder)]
Hours = Annotated[timedelta, PlainValidator(lambda value: _read_duration(value, bare="h"))]
Ids = Annotated[Mapping[str, str], PlainValidator(_read_ids)]
Key = Annotated[SecretStr | None, AfterValidator(_check_key)]
OptionalAddress = Annotated[str, AfterValidator(lambda value: "" if value in ("", "none") else _check_address(value))]
Seconds = Annotated[timedelta, PlainValidator(lambda value: _read_duration(value, bare="s"))]
Size = Annotated[int, PlainValidator(_read_size)]
Tiers = Annotated[Mapping[str, Mapping[str, object]], PlainValidator(_read_tiers)]
TimeZone = Annotated[str, AfterValidator(_check_time_zone)]
Words = Annotated[tuple[str, ...], PlainValidator(_read_words)]
