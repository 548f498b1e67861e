"""Multiaddresses of TCP listeners: ``/ip4/127.0.0.1/tcp/30333/p2p/12D3KooW...``."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace
from functools import lru_cache

from parahost.network.peer_ids import is_peer_id
from parahost.primitives.basic import PeerId

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
        return self.kind in ("ip4", "ip6") and is_loopback(self.host)

    @property
    def can_be_dialled(self) -> bool:
        if self.port == 0:
            return False
        if self.kind in ("ip4", "ip6"):
            ip = ipaddress.ip_address(self.host)
            return not (ip.is_unspecified or ip.is_multicast)
        return True

    def seen_from(self, observed_host: str) -> PeerAddress:
        """The same listener with the host by which we know its machine, if it named none."""
        if not self.is_unspecified:
            return self
        return replace(self, kind="ip6" if ":" in observed_host else "ip4", host=observed_host)


def is_loopback(host: str) -> bool:
    """Whether the text is an IP address that never leaves its machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


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
        host = str(parsed)
    elif kind in ("dns", "dns4", "dns6"):
        if not _DNS_NAME.match(host):
            raise AddressError(f"{host!r} in {text!r} is not a host name")
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
