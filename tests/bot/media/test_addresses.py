"""Which names and addresses are whose."""

from ipaddress import ip_address

import pytest
from yarl import URL

from bot.media.addresses import Allowance, host_matches, is_public

INSIDE = [
    "0.0.0.0", "0.1.2.3", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.9.9.9", "169.254.169.254",
    "172.16.0.1", "192.0.0.8", "192.88.99.1", "192.168.1.1", "198.18.0.1", "203.0.113.5", "224.0.0.1",
    "233.252.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1",
    "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::a00:1", "2001::1", "2001:db8::1", "2002:7f00:1::", "fc00::1",
    "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "ff0e::1",
]  # fmt: skip
OUTSIDE = ["8.8.8.8", "1.1.1.1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2606:4700:4700::1111", "2a00:1450:4001::1"]


@pytest.mark.parametrize("address", INSIDE)
def test_nothing_inside_is_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", OUTSIDE)
def test_the_internet_is(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    ("host", "listed"),
    [
        ("ark.volces.com", True),
        ("a.b.volces.com", True),
        ("ARK.Volces.com.", True),
        ("cdn.example.com", True),
        ("volces.com", False),
        ("evilvolces.com", False),
        ("ark.volces.com.evil.net", False),
        ("x.cdn.example.com", False),
        ("127.0.0.1", False),
    ],
)
def test_a_pattern_covers_what_is_below_it(host: str, listed: bool) -> None:
    assert host_matches(host, ("*.volces.com", "cdn.example.com")) is listed
    assert host_matches(host, ("*",))


def test_an_allowance_names_hosts_ports_and_networks() -> None:
    allowance = Allowance.of(["gateway.corp", "Sandbox.local:8080", "10.0.0.0/8", "::1", "[fd00::1]:99", "192.168.7.7"])

    assert allowance.names_host(URL("http://gateway.corp:1234/x"))
    assert allowance.names_host(URL("http://sandbox.local:8080/"))
    assert not allowance.names_host(URL("http://sandbox.local/"))
    assert allowance.names_host(URL("http://[::1]:5/"))
    assert allowance.names_host(URL("http://[fd00::1]:99/"))
    assert not allowance.names_host(URL("http://[fd00::1]:98/"))
    assert allowance.names_host(URL("http://192.168.7.7/"))
    assert not allowance.names_host(URL("http://other.corp/"))
    assert allowance.holds(ip_address("10.200.0.1"))
    assert allowance.holds(ip_address("::ffff:10.200.0.1"))
    assert not allowance.holds(ip_address("11.0.0.1"))


def test_one_more_may_be_allowed() -> None:
    allowance = Allowance.of([]).and_also("127.0.0.1", 4321)

    assert allowance.names_host(URL("http://127.0.0.1:4321/"))
    assert not allowance.names_host(URL("http://127.0.0.1:4322/"))


@pytest.mark.parametrize("entry", ["", "http://host", "user@host", "host:port", "10.0.0.0/99", "host/path"])
def test_an_entry_that_cannot_be_read_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match=entry or "''"):
        Allowance.of([entry])
