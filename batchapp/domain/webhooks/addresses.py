"""Decide to which network addresses the portal sends what people tell it to send.

A person of the portal may enter any address. Without these rules the portal would carry requests
into the network that it stands in: to databases, to the metadata service of a cloud, to itself.
"""

from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)

IPAddress = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Addresses that lead to no public host. Written out, because the standard library's ``is_global``
# differs by its version and counts multicast and NAT64 as public.
# Source: https://www.iana.org/assignments/iana-ipv4-special-registry
_NOT_PUBLIC_IPV4 = [
    IPv4Network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        "168.63.129.16/32",  # the services of Azure for the machine itself, at a public address
    )
]
# Source: https://www.iana.org/assignments/iana-ipv6-special-registry
_PUBLIC_IPV6 = IPv6Network("2000::/3")
_NOT_PUBLIC_IPV6 = [
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocols of the IETF, with Teredo, which wraps any IPv4 address
        "2001:db8::/32",
        "2002::/16",  # 6to4, which wraps any IPv4 address
        "3fff::/20",
    )
]
# Their last 32 bits are the IPv4 address that is reached: mapped, compatible, and by NAT64.
_WITH_IPV4 = [IPv6Network(network) for network in ("::ffff:0:0/96", "::/96", "64:ff9b::/96")]


def may_be_reached(address: str, private_networks: Sequence[Network]) -> bool:
    """Return True if ``address`` is public, or in one of the networks that the operator allows."""
    target = _target(address)
    if target is None:
        return False
    return _is_public(target) or is_in(address, private_networks)


def is_in(address: str, networks: Sequence[Network]) -> bool:
    """Return True if ``address``, or the IPv4 address that it wraps, is in one of ``networks``."""
    target = _target(address)
    return target is not None and any(target in network for network in networks)


def _target(address: str) -> IPAddress | None:
    """Return the host that ``address`` leads to; None if it is no address."""
    try:
        target = ip_address(address)
    except ValueError:
        return None
    if isinstance(target, IPv6Address):
        for network in _WITH_IPV4:
            if target in network and target not in _UNSPECIFIED:
                return IPv4Address(int(target) & 0xFFFFFFFF)
    return target


_UNSPECIFIED = {IPv6Address("::"), IPv6Address("::1")}  # in ::/96, but without an IPv4 address


def _is_public(target: IPAddress) -> bool:
    if isinstance(target, IPv4Address):
        return not any(target in network for network in _NOT_PUBLIC_IPV4)
    is_special = any(target in network for network in _NOT_PUBLIC_IPV6)
    return target in _PUBLIC_IPV6 and not is_special
