"""Generations as a few hundred people would have made them in a year: who, where, what for, with which words.

Always the same ones for the same number. People come in sessions, some much more often than others, in the daytime and
on working days; what they do next is often made from what they did before.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

DAYS = 365
SEED = 20261121
A_PERSON = 500  # generations of each person
LEAST_PERSONS = 20
A_TEAM = 40  # persons
SESSION = 6  # generations, on the average
IDS = 32**8
LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
SPACES = (
    "discord/801402100223344556",
    "feishu/tenant-2ed263bf32cf1651",
    "discord/912203311099887766",
    "web/local",
    "feishu/tenant-7c0de81f90aa4410",
    "discord/733355512200998877",
)
MODELS = {  # name: (weight, micro-USD a picture)
    "seedream-4.5": (40, 40_000),
    "seedream-4": (30, 30_000),
    "seedream-5-lite": (18, 35_000),
    "seedream-5-pro": (9, 90_000),
    "seedream-3": (3, 30_000),
}
PROVIDERS = {"modelark": 70, "apiyi": 25, "sandbox": 5}
STATES = {"settled": 940, "failed": 22, "refused": 20, "cancelled": 14, "unknown": 4}
CAUSES = {"failed": ("busy", "refused", "misconfigured", "broken"), "refused": ("content",), "unknown": ("unknown",)}
NAMES = (
    *("Alice", "Bob", "Carol", "Dmitri", "Elena", "Farid", "Grace", "Hiro", "Ines", "Jonas", "Kira", "Liam", "Mona"),
    *("李雷", "韩梅梅", "王芳", "张伟", "刘洋", "陈静", "杨帆", "赵敏", "黄磊", "周杰", "吴倩"),
)
TEAMS = ("Brand", "Studio", "Growth", "设计组", "Games", "电商", "Film", "Research")
WORDS = (
    ("a red fox", "two herons", "an old lighthouse", "a paper boat", "a tea house", "a city tram", "four boats"),
    ("in the snow", "at a lake", "under a full moon", "in the rain", "on a mountain pass", "by an open window"),
    ("watercolour", "oil on canvas", "35 mm photograph", "flat vector", "isometric", "ink wash", "studio light"),
)
WORDS_ZH = (
    ("雪中的红狐狸", "湖边的两只白鹭", "一座老灯塔", "山间的茶馆", "雨夜的电车", "月下的小船"),
    ("清晨的光", "满月之夜", "细雨里", "窗边", "远山"),
    ("水彩", "油画", "胶片摄影", "水墨", "等距插画"),
)
RARE = ("walrus", 20_000)  # one prompt in so many has this word

COLUMNS = {
    **dict.fromkeys(("number", "at", "started", "finished", "count", "price", "made", "usd", "private"), "BIGINT"),
    **dict.fromkeys(("parent_index", "bucket"), "BIGINT"),
    **dict.fromkeys(("id", "day", "week", "month", "person", "name", "space", "adapter", "team"), "TEXT"),
    **dict.fromkeys(("provider", "model", "state", "cause", "parent", "prompt", "mode"), "TEXT"),
}
LATENCY = (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610)


@dataclass(frozen=True, slots=True)
class Human:
    id: str
    name: str
    space: str
    team: str
    linked: str


@dataclass(frozen=True, slots=True)
class Team:
    id: str
    name: str
    space: str


def people(count: int) -> tuple[list[Human], list[Team]]:
    chance = random.Random(SEED)
    many = max(LEAST_PERSONS, count // A_PERSON)
    teams = [
        Team(f"t{number:07x}", f"{TEAMS[number % len(TEAMS)]} {number // len(TEAMS) + 1}", chance.choice(SPACES))
        for number in range(max(2, many // A_TEAM))
    ]
    humans = []
    for number in range(many):
        team = chance.choice(teams)
        joins = chance.random() < 0.6
        space = team.space if joins else chance.choices(SPACES, (30, 25, 15, 10, 10, 10))[0]
        linked = f"one{number // 20:05x}" if number % 20 < 2 else ""  # every tenth has an account on two platforms
        name = f"{NAMES[number % len(NAMES)]} {number // len(NAMES) + 1}"
        humans.append(Human(f"p{number:011x}", name, space, team.id if joins else "", linked))
    return humans, teams


def made(count: int, now: datetime) -> Iterator[tuple[object, ...]]:
    """Rows of COLUMNS, the oldest first."""
    chance = random.Random(SEED)
    humans, _ = people(count)
    weights = [1 / (1 + place) ** 0.7 for place in range(len(humans))]
    chance.shuffle(weights)
    moments = sorted(_moment(chance, now) for _ in range(-(-count // SESSION)))
    who = chance.choices(humans, weights, k=len(moments))
    number = 0
    for moment, human in zip(moments, who, strict=True):
        team = human.team if chance.random() < 0.7 else ""
        model = chance.choices(list(MODELS), [weight for weight, _ in MODELS.values()])[0]
        before = ("", 0)
        for step in range(min(SESSION, count - number)):
            number += 1
            at = moment + timedelta(seconds=90 * step)
            row = _one(chance, number, count, at, human, team, model, before)
            before = (str(row["id"]), int(str(row["made"])))
            yield tuple(row[name] for name in COLUMNS)


def _moment(chance: random.Random, now: datetime) -> datetime:
    """More lately than long ago, more by day than by night."""
    while True:
        at = now - timedelta(minutes=15, days=DAYS * (1 - chance.random() ** 0.7))
        if chance.random() < (1.0 if 8 <= at.hour < 20 else 0.2) * (1.0 if at.weekday() < 5 else 0.35):
            return at


def _one(
    chance: random.Random,
    number: int,
    count: int,
    at: datetime,
    human: Human,
    team: str,
    model: str,
    before: tuple[str, int],
) -> dict[str, object]:
    wanted = chance.choices((1, 2, 4), (80, 8, 12))[0]
    price = MODELS[model][1]
    state = chance.choices(list(STATES), list(STATES.values()))[0]
    made = wanted if state == "settled" else 0
    seconds = min(900.0, chance.lognormvariate(2.2 + 0.1 * wanted, 0.6))
    began = micros = round(at.timestamp() * 1_000_000)
    ended = micros + round((seconds + 0.2) * 1_000_000)
    year, week, _ = at.isocalendar()
    edits = bool(before[1]) and chance.random() < 0.45
    return {
        "number": number,
        "id": _id(number * (IDS // (count + 2)) + chance.randrange(IDS // (count + 2))),
        "at": micros,
        "started": began + 200_000 if state != "cancelled" else 0,
        "finished": ended,
        "day": at.strftime("%Y-%m-%d"),
        "week": f"{year}-W{week:02}",
        "month": at.strftime("%Y-%m"),
        "person": human.id,
        "name": human.name,
        "space": human.space,
        "adapter": human.space.partition("/")[0],
        "team": team,
        "provider": chance.choices(list(PROVIDERS), list(PROVIDERS.values()))[0],
        "model": model,
        "count": wanted,
        "price": price * wanted,
        "state": state,
        "cause": chance.choice(CAUSES.get(state, ("",))),
        "made": made,
        "usd": price * made,
        "private": int(chance.random() < 0.05),
        "parent": before[0] if edits else "",
        "parent_index": chance.randrange(before[1]) if edits else 0,
        "prompt": _prompt(chance, human),
        "mode": "edit" if edits else "imagine",
        "bucket": sum(seconds > bound for bound in LATENCY),
    }


def _prompt(chance: random.Random, human: Human) -> str:
    chinese = not human.name.isascii()
    parts = [chance.choice(each) for each in (WORDS_ZH if chinese else WORDS)]
    if chance.randrange(RARE[1]) == 0:
        parts.append(RARE[0])
    return ("，" if chinese else ", ").join(parts)


def _id(number: int) -> str:
    return "".join(LETTERS[number >> shift & 31] for shift in range(35, -1, -5))


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
