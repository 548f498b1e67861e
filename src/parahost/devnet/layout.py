"""The nodes of a devnet: names, keys, ports, command lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from parahost.crypto.keystore import KeyDirectory
from parahost.devnet.ports import LOCALHOST, PortClaims
from parahost.devnet.processes import NodeCommand
from parahost.network.identity import Identity
from parahost.node.role import Role
from parahost.parachains import ParachainSpec
from parahost.ports import KeyType
from parahost.primitives.basic import PeerId
from parahost.process.base_path import BasePath
from parahost.runtime.development import collator_uri, validator_uris
from parahost.validation import confinement


@dataclass(frozen=True, slots=True)
class Seat:
    """What a node is to be. ``para`` is a collator's."""

    name: str
    role: Role
    para: ParachainSpec | None = None


@dataclass(frozen=True, slots=True)
class PlannedNode:
    """A node that can be started. ``address`` is its multiaddress with its peer id, ``rpc`` where
    it serves JSON-RPC, ``metrics`` where it tells its metrics."""

    seat: Seat
    peer: PeerId
    address: str
    rpc: str
    metrics: str
    command: NodeCommand
    log: Path

    @property
    def name(self) -> str:
        return self.seat.name


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a node is reached."""

    peer: PeerId
    listen: str
    rpc_port: int
    metrics_port: int

    @property
    def address(self) -> str:
        return f"{self.listen}/p2p/{self.peer}"


class Layout:
    """Lays out nodes on a base path, each with its keys; those that come later, too."""

    def __init__(
        self, root: Path, chain_spec: Path, ports: PortClaims, collator_ban_s: float
    ) -> None:
        self._root = root
        self._chain_spec = chain_spec
        self._ports = ports
        self._collator_ban_s = collator_ban_s
        self._bootnodes: list[str] = []

    def nodes(self, seats: Sequence[Seat]) -> list[PlannedNode]:
        """:raises BadPlan: when there are no ports.
        :raises OSError: when the base path cannot be written.
        """
        places = [self._place(seat.name) for seat in seats]
        self._bootnodes += [
            place.address
            for seat, place in zip(seats, places, strict=True)
            if seat.role is Role.VALIDATOR
        ]
        return [self._node(seat, place) for seat, place in zip(seats, places, strict=True)]

    def _place(self, name: str) -> _Place:
        peer = Identity(BasePath(self._root / name).load_node_key()).peer
        listen = f"/ip4/{LOCALHOST}/tcp/{self._ports.take_p2p()}"
        return _Place(peer, listen, self._ports.take_rpc(), self._ports.take_metrics())

    def _node(self, seat: Seat, place: _Place) -> PlannedNode:
        base = BasePath(self._root / seat.name)
        base.development.unlink(missing_ok=True)
        for key_type, uri in _uris(seat):
            KeyDirectory(base.keystore).insert(key_type, uri)
        return PlannedNode(
            seat,
            place.peer,
            place.address,
            f"ws://{LOCALHOST}:{place.rpc_port}",
            f"http://{LOCALHOST}:{place.metrics_port}/metrics",
            NodeCommand(
                seat.name, tuple(self._arguments(seat, place, base)), base.root / "output.log"
            ),
            base.log,
        )

    def _arguments(self, seat: Seat, place: _Place, base: BasePath) -> Iterable[str]:
        yield from ("node", "--chain", str(self._chain_spec), "--base-path", str(base.root))
        yield from ("--name", seat.name, "--development-control")
        yield from ("--listen", place.listen, "--rpc-port", str(place.rpc_port))
        yield from ("--prometheus-port", str(place.metrics_port))
        for bootnode in self._bootnodes:
            if bootnode != place.address:
                yield from ("--bootnode", bootnode)
        yield from ("--role", seat.role.value)
        if seat.para is not None:
            yield from ("--parachain", seat.para.source, "--para-id", str(seat.para.id))
        if seat.role is Role.VALIDATOR:
            yield from ("--collator-ban", f"{self._collator_ban_s:g}")
            if confinement.lacking():  # a devnet's code is its user's own
                yield "--insecure-workers"


def collator_name(para: ParachainSpec) -> str:
    """Of the collator that a para begins with."""
    return f"collator-{para.id}"


def _uris(seat: Seat) -> Iterable[tuple[KeyType, str]]:
    match seat.role:
        case Role.VALIDATOR:
            yield from validator_uris(seat.name).items()
        case Role.COLLATOR:
            yield KeyType.COLLATOR, collator_uri(seat.name)
        case Role.FULL:
            return
