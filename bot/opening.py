"""Opens the providers that are set: their catalogue, one transport and one fetcher for all, and each in its dialect."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from bot.catalogue import Catalogue, Offer
from bot.catalogue.router import Router
from bot.media.fetch import GuardedFetcher
from bot.providers.apiframe import Apiframe
from bot.providers.base import Provider
from bot.providers.images_api import ImagesApi
from bot.providers.novita import Novita
from bot.providers.sandbox.server import Sandbox
from bot.providers.transport import Transport
from bot.settings import Settings

HOOKS = "/hooks/"

Receive = Callable[[Mapping[str, str], bytes], Awaitable[bool]]


@dataclass(frozen=True, kw_only=True)
class Opened:
    """receive: what takes the calls that come in under `HOOKS` and a provider's name."""

    router: Router
    providers: Mapping[str, Provider]
    fetcher: GuardedFetcher
    receive: Mapping[str, Receive]
    sandbox: Sandbox | None

    @property
    def counting(self) -> dict[str, Provider]:
        """Those that count in credits."""
        catalogue = self.router.catalogue
        return {name: each for name, each in self.providers.items() if catalogue.offer(name).credit_price}

    def wake(self, job: str) -> None:
        """A provider's job has called another process."""
        for provider in self.providers.values():
            if isinstance(provider, Apiframe):
                provider.wake(job)


def configured(catalogue: Catalogue, settings: Settings) -> Catalogue:
    """The catalogue as these settings make it: other addresses, ids and prices, and fewer models."""
    for name in settings.configured:
        vendor = settings.vendor(name)
        assert vendor is not None
        catalogue = catalogue.at(name, vendor.base_url or "").with_ids(name, vendor.models)
    if settings.compatible.models:
        catalogue = catalogue.only("compatible", settings.compatible.models)
    return catalogue.with_credit("apiframe", settings.apiframe.credit_price)


@asynccontextmanager
async def opened(
    settings: Settings,
    catalogue: Catalogue,
    *,
    clock: Callable[[], datetime],
    names: Sequence[str] | None = None,
    elsewhere: Callable[[str], object] = lambda job: None,
) -> AsyncIterator[Opened]:
    """The providers in use, or those of these names, for as long as the block lasts.

    elsewhere: told the id of a provider's job that called, and that this process does not wait for.
    """
    order = settings.provider_order if names is None else tuple(names)
    async with AsyncExitStack() as stack:
        transport = await stack.enter_async_context(Transport())
        fetcher = await stack.enter_async_context(GuardedFetcher(settings.fetch.allow))
        sandbox = await stack.enter_async_context(Sandbox(clock=clock)) if "sandbox" in order else None
        if sandbox:
            fetcher.allow_also(sandbox.host, sandbox.port)
        build = _Builder(settings, catalogue, transport, fetcher, sandbox, clock, elsewhere)
        providers = {name: build.provider(name) for name in order}
        yield Opened(
            router=Router(configured(catalogue, settings), order),
            providers=providers,
            fetcher=fetcher,
            receive={
                name: provider.receive
                for name, provider in providers.items()
                if isinstance(provider, Apiframe) and settings.web.public_url
            },
            sandbox=sandbox,
        )


@dataclass(frozen=True)
class _Builder:
    settings: Settings
    catalogue: Catalogue
    transport: Transport
    fetcher: GuardedFetcher
    sandbox: Sandbox | None
    clock: Callable[[], datetime]
    elsewhere: Callable[[str], object]

    def provider(self, name: str) -> Provider:
        offer, vendor = self.catalogue.offer(name), self.settings.vendor(name)
        if vendor is None:
            assert self.sandbox is not None
            return self._images_api(name, self.sandbox.base_url, "sandbox")
        base_url = vendor.base_url or offer.base_url
        match offer.dialect:
            case "apiframe":
                return self._apiframe(name, base_url, vendor.key)
            case "novita":
                return Novita(
                    name,
                    base_url=base_url,
                    api_key=vendor.key,
                    transport=self.transport,
                    fetcher=self.fetcher,
                    hosts=link_hosts(self.catalogue.offer(name), base_url),
                    clock=self.clock,
                )
        return self._images_api(name, base_url, vendor.key)

    def _apiframe(self, name: str, base_url: str, api_key: str) -> Apiframe:
        return Apiframe(
            name,
            base_url=base_url,
            api_key=api_key,
            transport=self.transport,
            fetcher=self.fetcher,
            hosts=link_hosts(self.catalogue.offer(name), base_url),
            clock=self.clock,
            credit_price=self.settings.apiframe.credit_price,
            webhook_url=webhook_url(self.settings, name),
            elsewhere=self.elsewhere,
        )

    def _images_api(self, name: str, base_url: str, api_key: str) -> ImagesApi:
        backup_url = self.settings.apiyi.backup_url if name == "apiyi" else ""
        return ImagesApi(
            name,
            base_url=base_url,
            api_key=api_key,
            transport=self.transport,
            fetcher=self.fetcher,
            hosts=link_hosts(self.catalogue.offer(name), base_url, backup_url),
            backup_url=backup_url,
            free_question=self.catalogue.offer(name).free_question,
            retry_quick=self.settings.queue.retry_quick_5xx,
            clock=self.clock,
        )


def link_hosts(offer: Offer, *addresses: str) -> tuple[str, ...]:
    """Where a provider's picture links may point: a gateway that somebody set may well serve the pictures itself."""
    usual = (offer.base_url, offer.backup_url, "")
    return (*offer.hosts, *(urlsplit(address).hostname or "" for address in addresses if address not in usual))


def webhook_url(settings: Settings, provider: str) -> str:
    """Where a provider can call this bot from outside, "" where nothing leads here."""
    return f"{settings.web.public_url}{HOOKS}{provider}" if settings.web.public_url else ""
