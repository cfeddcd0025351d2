"""What `/metrics` tells Prometheus: the providers, the line, the books. Made for each scrape, from the database."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bot.clock import micros
from bot.generation import health
from bot.generation.states import IN_FLIGHT, WAITING, State, listed
from bot.quota import audit
from bot.storage.connection import Connection
from bot.storage.database import Database

log = structlog.get_logger(__name__)

OPEN = (*WAITING, *IN_FLIGHT)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One moment. states: how many generations are in each; failures: in a row, by provider.

    books: what the last look at them found, "" where they agreed.
    """

    states: Mapping[str, int]
    failures: Mapping[str, int]
    resting: frozenset[str]
    books: str


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """providers: those in use. credits: what is left at those that count in credits, where it is known."""

    database: Database
    providers: Sequence[str]
    credits: Mapping[str, int]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def scrape(self) -> bytes:
        """In Prometheus' text format. Raises `ConnectionError` while the database does not answer."""
        try:
            seen = await self.database.read(_look, micros(self.now()))
        except self.database.passing as error:
            log.warning("the database does not answer", problem=type(error).__name__)
            raise ConnectionError("the database does not answer") from error
        registry = CollectorRegistry()
        registry.register(_Scrape(list(self._families(seen))))
        return generate_latest(registry)

    def _families(self, seen: Seen) -> Iterator[Metric]:
        yield _gauge(
            "seedream_provider_up",
            "1, or 0 while the provider is left alone after failures in a row",
            "provider",
            {name: int(name not in seen.resting) for name in self.providers},
        )
        yield _gauge(
            "seedream_provider_failures",
            "Failures in a row",
            "provider",
            {name: seen.failures.get(name, 0) for name in self.providers},
        )
        yield _gauge("seedream_provider_credits", "Credits left when last asked", "provider", self.credits)
        yield _gauge(
            "seedream_generations",
            "Generations that have not ended: asked waits for Go, queued in line, the others are in flight",
            "state",
            {state: seen.states.get(state, 0) for state in OPEN},
        )
        yield GaugeMetricFamily(
            "seedream_books_agree",
            "1, or 0 while the last look at the books of the last days has found a difference",
            value=int(not seen.books),
        )


class _Scrape(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families


def _gauge(name: str, told: str, label: str, values: Mapping[str, int] | Mapping[State, int]) -> Metric:
    family = GaugeMetricFamily(name, told, labels=[label])
    for key, value in values.items():
        family.add_metric([str(key)], value)
    return family


def _look(connection: Connection, now: int) -> Seen:
    states = connection.rows(
        f"SELECT state, count(*) AS n FROM generations WHERE state IN ({listed(OPEN)}) GROUP BY state"
    )
    failing = connection.rows("SELECT provider, failures FROM provider_health")
    return Seen(
        states={row["state"]: int(row["n"]) for row in states},
        failures={row["provider"]: int(row["failures"]) for row in failing},
        resting=frozenset(each.provider for each in health.resting(connection, now)),
        books=audit.kept(connection),
    )
