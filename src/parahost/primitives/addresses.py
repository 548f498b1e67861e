"""Multiaddresses of TCP listeners: ``/ip4/127.0.0.1/tcp/30333/p2p/12D3KooW...``.

Peers tell each other such texts, dial what they were told, and pass it on. So there is one text for
each address, its *canonical* one, and nothing else is admitted from a peer: :func:`parse_told`.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace
from functools import lru_cache

from parahost.primitives.basic import PeerId
from parahost.primitives.peer_ids import is_peer_id

MAX_ADDRESS_LENGTH = 256
_DNS_NAME = re.compile(r"(?=.{1,200}\Z)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\Z")
_PORT = re.compile(r"(0|[1-9][0-9]{0,4})\Z")


class AddressError(ValueError):
    """Text that is not a multiaddress of the kinds that are supported; says what is wrong."""


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """Where a node listens, and who it is if that is known."""

    kind: str
    """``ip4``, ``ip6``, ``dns``, ``dns4`` or ``dns6``."""
    host: str
    port: int
    peer: PeerId | None = None

    def __str__(self) -> str:
        suffix = "" if self.peer is None else f"/p2p/{self.peer}"
        return f"/{self.kind}/{self.host}/tcp/{self.port}{suffix}"

    @property
    def is_unspecified(self) -> bool:
        """Whether it stands for every address of its machine (``0.0.0.0``)."""
        return self.kind in ("ip4", "ip6") and ipaddress.ip_address(self.host).is_unspecified

    @property
    def is_loopback(self) -> bool:
        if self.kind in ("ip4", "ip6"):
            return is_loopback(self.host)
        return self.host.split(".")[-1] == "localhost"

    @property
    def can_be_dialled(self) -> bool:
        """Link-local addresses of IPv6 need a scope to be dialled, which has no meaning here."""
        if self.port == 0:
            return False
        if self.kind == "ip6" and ipaddress.IPv6Address(self.host).is_link_local:
            return False
        if self.kind in ("ip4", "ip6"):
            ip = ipaddress.ip_address(self.host)
            return not (ip.is_unspecified or ip.is_multicast)
        return True

    def seen_from(self, observed_host: str) -> PeerAddress:
        """The same listener with the host by which we know its machine, if it named none."""
        if not self.is_unspecified:
            return self
        host = _plain(observed_host)
        return replace(self, kind="ip6" if ":" in host else "ip4", host=host)


def is_loopback(host: str) -> bool:
    """Whether the text is an IP address that never leaves its machine."""
    try:
        return ipaddress.ip_address(_plain(host)).is_loopback
    except ValueError:
        return False


def _plain(host: str) -> str:
    """The canonical text of an IP address as the system gives it: without a scope, and as one of
    IPv4 if it is one."""
    ip = ipaddress.ip_address(host.partition("%")[0])
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return str(ip if mapped is None else mapped)


def network_of(host: str) -> str:
    """What one owner has at least: an IPv4 address, or the /64 of an IPv6 address. Limits per
    address count by this."""
    host = _plain(host)
    return str(ipaddress.IPv6Network((host, 64), strict=False)) if ":" in host else host


def parse_told(text: str) -> PeerAddress:
    """Read an address that a peer told: one that can be dialled, that says who is there, and whose
    text is the canonical one.

    :raises AddressError: when it is anything else.
    """
    address = parse_address(text)
    if address.peer is None:
        raise AddressError(f"{text!r} does not say who is there")
    if not address.can_be_dialled:
        raise AddressError(f"nobody can be reached at {text!r}")
    if str(address) != text:
        raise AddressError(f"{text!r} is not the canonical text {str(address)!r}")
    return address


@lru_cache(4096)
def parse_address(text: str) -> PeerAddress:
    """Read ``/<kind>/<host>/tcp/<port>[/p2p/<peer id>]``.

    :raises AddressError: when it is anything else.
    """
    if len(text) > MAX_ADDRESS_LENGTH:
        raise AddressError(f"an address of {len(text)} characters is too long")
    parts = text.split("/")
    if len(parts) not in (5, 7) or parts[0] or parts[3] != "tcp":
        raise AddressError(f"{text!r} is not /ip4/<ip>/tcp/<port>[/p2p/<peer id>]")
    kind, host, port = parts[1], parts[2], parts[4]
    if kind in ("ip4", "ip6"):
        try:
            parsed = ipaddress.IPv4Address(host) if kind == "ip4" else ipaddress.IPv6Address(host)
        except ValueError:
            raise AddressError(f"{host!r} in {text!r} is not an {kind} address") from None
        if isinstance(parsed, ipaddress.IPv6Address):
            if parsed.scope_id is not None:
                raise AddressError(
                    f"{host!r} in {text!r} has a scope, which only its machine knows"
                )
            if parsed.ipv4_mapped is not None:
                raise AddressError(f"{host!r} in {text!r} is an ip4 address: write it as one")
        host = str(parsed)
    elif kind in ("dns", "dns4", "dns6"):
        if not _DNS_NAME.match(host) or host.rpartition(".")[2].isdigit():
            raise AddressError(f"{host!r} in {text!r} is not a host name")
        host = host.lower()
    else:
        raise AddressError(f"{kind!r} in {text!r} is none of ip4, ip6, dns, dns4, dns6")
    if not _PORT.match(port) or int(port) > 0xFFFF:
        raise AddressError(f"{port!r} in {text!r} is not a port")
    peer = None
    if len(parts) == 7:
        if parts[5] != "p2p" or not is_peer_id(parts[6]):
            raise AddressError(f"{text!r} does not end in /p2p/<ed25519 peer id>")
        peer = PeerId(parts[6])
    return PeerAddress(kind, host, int(port), peer)
