"""Which hosts and addresses the fetcher may reach. No I/O: names are judged before, addresses when a socket opens."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from yarl import URL

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

NAT64 = IPv6Network("64:ff9b::/96")  # on networks without IPv4 the whole IPv4 internet lies in here (RFC 6052)
GLOBAL_UNICAST = IPv6Network("2000::/3")
# Python's versions do not agree about these; no picture lies in any of them.
SPECIAL = (
    IPv4Network("192.0.0.0/24"),  # protocol assignments
    IPv4Network("192.88.99.0/24"),  # relays to 6to4
    IPv6Network("2001::/23"),  # protocol assignments, Teredo among them
    IPv6Network("2002::/16"),  # 6to4: an IPv4 address in disguise
)


def address_of(literal: str) -> Address | None:
    """The address that a host name spells out, or None where it is a name; a zone (`%eth0`) is dropped."""
    try:
        return ip_address(literal.partition("%")[0])
    except ValueError:
        return None


def is_public(address: Address) -> bool:
    """Whether anybody on the internet may own it, so that reaching it opens nothing of ours."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address in NAT64:
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
        if address not in GLOBAL_UNICAST:
            return False
    return address.is_global and not address.is_multicast and not any(address in network for network in SPECIAL)


def host_matches(host: str, patterns: Iterable[str]) -> bool:
    """Whether a name is listed: exactly, below `*.example.com` (not example.com itself), or by `*`."""
    name = host.rstrip(".").lower()
    for pattern in patterns:
        wanted = pattern.lower()
        if wanted in ("*", name) or (wanted.startswith("*.") and name.endswith(wanted[1:])):
            return True
    return False


@dataclass(frozen=True, slots=True)
class Allowance:
    """What an operator opened although it is not public: `host`, `host:port`, an address, or a network."""

    names: frozenset[tuple[str, int | None]]
    networks: tuple[Network, ...]

    @classmethod
    def of(cls, entries: Iterable[str]) -> "Allowance":
        """Read the entries of a setting; ValueError names the one that cannot be read."""
        names: set[tuple[str, int | None]] = set()
        networks = []
        for entry in entries:
            if "/" in entry:
                networks.append(ip_network(entry, strict=False))
            else:
                names.add(_name(entry))
        return cls(frozenset(names), tuple(networks))

    def and_also(self, host: str, port: int | None) -> "Allowance":
        return Allowance(self.names | {(host.lower(), port)}, self.networks)

    def names_host(self, url: URL) -> bool:
        host = (url.host or "").rstrip(".").lower()
        return (host, None) in self.names or (host, url.port) in self.names

    def holds(self, address: Address) -> bool:
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return any((mapped or address) in network for network in self.networks)


def _name(entry: str) -> tuple[str, int | None]:
    bare = entry.strip("[]")
    if address_of(bare) is not None:  # an IPv6 address alone, with its colons
        return bare.lower(), None
    try:
        url = URL(f"//{entry}")
    except ValueError as error:
        raise ValueError(f"not a host, host:port or network: {entry!r}") from error
    if not url.host or url.user is not None or url.path not in ("", "/"):
        raise ValueError(f"not a host, host:port or network: {entry!r}")
    return url.host.rstrip(".").lower(), url.explicit_port
