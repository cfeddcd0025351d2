"""The way through a proxy, as aiohttp and discord.py take it."""

from typing import TypedDict

from aiohttp import BasicAuth
from yarl import URL


class Through(TypedDict):
    proxy: str | None
    proxy_auth: BasicAuth | None


def through(address: str | None) -> Through:
    """The password stands beside the address: aiohttp's errors write the address out, and they are logged.

    aiohttp would rather have it as a header, which discord.py cannot hand on.
    """
    if address is None:
        return {"proxy": None, "proxy_auth": None}
    url = URL(address)
    return {"proxy": str(url.with_user(None)), "proxy_auth": BasicAuth.from_url(url)}
