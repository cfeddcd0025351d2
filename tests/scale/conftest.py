"""What outlives every process: a provider, and a PostgreSQL server of these tests' own.

The server that others share lets in a hundred connections, which is little for half a dozen processes beside them.
"""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.crash.provider import Provider, provider
from tests.scale.cluster import Server, cluster, may_make_networks, network


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """A provider that draws as fast as it can."""
    with provider(tmp_path_factory.mktemp("quick"), seconds=0) as found:
        yield found


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Behind a cable of its own, where a test may make networks."""
    with ExitStack() as stack:
        behind = stack.enter_context(network()) if may_make_networks() else None
        yield Server(stack.enter_context(cluster(behind)), behind)
