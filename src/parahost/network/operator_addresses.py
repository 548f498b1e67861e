"""The addresses that an operator gives a node, and what to do about those that do not serve."""

from __future__ import annotations

import errno
from dataclasses import replace

from parahost.network.errors import NetworkError
from parahost.primitives.addresses import AddressError, PeerAddress, parse_address
from parahost.primitives.basic import PeerId


def parse_listen(text: str) -> PeerAddress:
    """Where to listen: an IP address and a port, 0 for any.

    :raises NetworkError: when it is not that.
    """
    try:
        address = parse_address(text)
    except AddressError as error:
        raise NetworkError(text, str(error), "listen on e.g. /ip4/0.0.0.0/tcp/30333") from None
    if address.kind not in ("ip4", "ip6"):
        raise NetworkError(text, "a name cannot be listened on", "use /ip4/... or /ip6/...")
    return address


def parse_permanent(text: str) -> PeerAddress:
    """A bootnode or reserved peer: where it can be dialled, and its peer id.

    :raises NetworkError: when it is not that.
    """
    remedy = "copy the whole address, with /p2p/, that the other node logs at its start"
    try:
        address = parse_address(text)
    except AddressError as error:
        raise NetworkError(text, str(error), remedy) from None
    if address.peer is None:
        raise NetworkError(text, "it does not say which peer is there", remedy)
    if not address.can_be_dialled:
        raise NetworkError(text, "nobody can be reached there", remedy)
    return address


def parse_public(text: str, local: PeerId) -> PeerAddress:
    """Where others reach this node, whose peer id is ``local``.

    :raises NetworkError: when it is not that.
    """
    try:
        address = parse_address(text)
    except AddressError as error:
        raise NetworkError(text, str(error), "announce e.g. /ip4/192.0.2.1/tcp/30333") from None
    if address.peer not in (None, local):
        raise NetworkError(text, f"it names {address.peer}, we are {local}", "leave /p2p/ away")
    if not address.can_be_dialled:
        raise NetworkError(text, "nobody can be reached there", "name the address and port outside")
    return replace(address, peer=local)


def cannot_listen(address: PeerAddress, error: OSError) -> NetworkError:
    """Why the system does not let us listen there, and what helps."""
    if error.errno == errno.EADDRINUSE:
        return NetworkError(
            str(address), "the port is taken", "stop the process that has it, or use another port"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return NetworkError(
            str(address), "this machine has no such address", "use one of its own, or 0.0.0.0"
        )
    if error.errno == errno.EACCES:
        return NetworkError(
            str(address), "listening there is not permitted", "use a port from 1024 on"
        )
    return NetworkError(str(address), error.strerror or str(error), "listen elsewhere")
