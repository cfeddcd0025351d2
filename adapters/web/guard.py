"""Who may ask this server anything at all: by the Host and Origin they name, and by a token where one is set.

A page on loopback is reachable by every web site the same person visits. Two attacks matter: a name of the attacker's
that suddenly resolves to 127.0.0.1 (seen in Host), and a form or script of another site that posts here (seen in
Origin and Sec-Fetch-Site).
"""

import hashlib
import hmac
import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
# Their own business, or nothing worth hiding: the health pages, the command line's way in, links to single pictures,
# which are signed, and the dashboard, which has sessions of its own.
NO_COOKIE = ("/healthz", "/readyz", "/control/", "/p/", "/dashboard")
SIGNED = "/hooks/"
COOKIE_AGE = 365 * 24 * 3600
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def check_binding(host: str, token: str | None) -> None:
    """Raise `ValueError` with a sentence where this address would let strangers in."""
    if not token and not _is_loopback(host):
        raise ValueError(
            f"The chat page would be open to everybody who can reach {host}. "
            "Set BOT_WEB__TOKEN, or bind it to 127.0.0.1."
        )


class Guard:
    """The middleware. `hosts` are further names by which people reach this server."""

    def __init__(self, *, token: str | None, host: str, port: int, hosts: Collection[str] = ()) -> None:
        self._hosts = LOOPBACK | {host.lower()} | {name.lower() for name in hosts}
        self._any_address = _is_wildcard(host)
        self._token = token
        # Cookies are shared by all ports of a host.
        self._cookie = f"seedream-{port}"

    def mount(self, application: web.Application) -> None:
        application.middlewares.append(self._middleware())
        application.on_response_prepare.append(_add_headers)

    def _middleware(self) -> Middleware:
        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            # Before the Host: watchers, providers and platforms call us by any name, and no web site can make a browser
            # send the one's header or what the others sign.
            if request.path.startswith(SIGNED) or self._bears_token(request):
                return await handler(request)
            if not self._host_is_ours(request.host) or not self._origin_is_ours(request):
                return web.Response(status=403, text="This address is not mine, or the request comes from elsewhere.\n")
            if self._token is None or request.path.startswith(NO_COOKIE):
                return await handler(request)
            if "token" in request.query and request.method == "GET":
                return self._enter(request, self._token)
            if not _same(request.cookies.get(self._cookie, ""), _cookie_value(self._token)):
                return web.Response(status=401, text="Please open the link that was printed when I started.\n")
            return await handler(request)

        return guard

    def _bears_token(self, request: web.Request) -> bool:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        return self._token is not None and scheme.lower() == "bearer" and _same(given.strip(), self._token)

    def _enter(self, request: web.Request, token: str) -> web.Response:
        """Exchange the link's token for a cookie, and get it out of the address and the history."""
        if not _same(request.query.get("token", ""), token):
            return web.Response(status=403, text="This link is not, or no longer, valid.\n")
        response = web.Response(status=303, headers={"Location": "/"})
        response.set_cookie(
            self._cookie,
            _cookie_value(token),
            max_age=COOKIE_AGE,
            httponly=True,
            samesite="Strict",
            secure=is_https(request),
        )
        return response

    def _host_is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        # Rebinding needs a name: a bare address in Host is the one that was really dialled.
        return name in self._hosts or (self._any_address and _is_address(name))

    def _origin_is_ours(self, request: web.Request) -> bool:
        if request.headers.get("Sec-Fetch-Site") == "cross-site" and request.method != "GET":
            return False
        origin = request.headers.get("Origin")
        if origin == "null":  # so a browser sends it where a form may not tell of its page; it knows whose the page is
            return request.headers.get("Sec-Fetch-Site") == "same-origin"
        try:
            return origin is None or urlsplit(origin).netloc.lower() == request.host.lower()
        except ValueError:
            return False


def is_https(request: web.Request) -> bool:
    """Whether the browser has come by it; of several proxies the first one in the list knows."""
    said = request.headers.get("X-Forwarded-Proto", request.scheme)
    return said.partition(",")[0].strip().lower() == "https"


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)


def _cookie_value(token: str) -> str:
    return hmac.digest(token.encode(), b"seedream chat page", hashlib.sha256).hex()


def _same(one: str, other: str) -> bool:
    # On bytes: compare_digest refuses text beyond ASCII, which anybody can put into an address.
    return hmac.compare_digest(one.encode("utf-8", "surrogateescape"), other.encode("utf-8", "surrogateescape"))


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host.strip("[]")).is_loopback)


def _is_wildcard(host: str) -> bool:
    return host == "" or (_is_address(host) and ipaddress.ip_address(host.strip("[]")).is_unspecified)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
