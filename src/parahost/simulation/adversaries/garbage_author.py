"""An author whose blocks hold what is no extrinsic."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from parahost.chain.sync.messages import (
    ANNOUNCES,
    SYNC,
    Announce,
    BlockData,
    BlockRequest,
    BlockResponse,
    FromHash,
    SyncMessage,
)
from parahost.consensus.babe.digests import pre_digest_of
from parahost.crypto import sr25519
from parahost.node.node import Node
from parahost.ports import KeyType
from parahost.ports.network import RequestHandler, RequestProtocol
from parahost.primitives.basic import H256, Hash, PeerId
from parahost.primitives.header import BABE_ENGINE, Block, Extrinsic, Header, Seal
from parahost.primitives.scale import decode, encode
from parahost.runtime.executive import extrinsics_root
from parahost.simulation.adversaries.adversary import Adversary
from parahost.simulation.adversaries.altered_network import AlteredNetwork
from parahost.simulation.build import Alteration, Build
from parahost.simulation.faults import World

GARBAGE = Extrinsic(b"\xff" * 32)
KEPT = 64


@dataclass(frozen=True, kw_only=True)
class GarbageAuthor(Adversary):
    """Announces, instead of each of its blocks, one with garbage at its end, rightly sealed.

    Nobody takes such a block, who serves one loses reputation, and the others build on what is
    good: the chain's validity does not rest on its authors (A50, D8).
    """

    kind: ClassVar[str] = "garbage_author"

    def conspire(self, world: World) -> Alteration:
        def alter(build: Build) -> None:
            _SpoilingNetwork(build)

        return alter


class _SpoilingNetwork(AlteredNetwork):
    """Announces and serves spoiled blocks in the place of our own."""

    def __init__(self, build: Build) -> None:
        super().__init__(build.ports.network)
        self._keys = build.keys
        self._journal = build.journal
        self._node: Node | None = None
        self._spoiled: OrderedDict[Hash, Block] = OrderedDict()
        build.with_ports(network=self)
        build.jobs.append(self._settle_in)

    async def _settle_in(self, node: Node) -> None:
        self._node = node

    def notify(self, peers: Sequence[PeerId], protocol: str, payload: bytes) -> None:
        if protocol == ANNOUNCES.name and self._node is not None:
            message: SyncMessage = decode(SyncMessage, payload)
            if isinstance(message, Announce) and self._is_ours(self._node, message.header):
                block = self._spoil(self._node, message.header)
                payload = encode(replace(message, header=block.header), SyncMessage)
        super().notify(peers, protocol, payload)

    def on_request(self, protocol: RequestProtocol, handler: RequestHandler) -> None:
        async def answer(peer: PeerId, payload: bytes) -> bytes | None:
            request: BlockRequest = decode(BlockRequest, payload)
            wanted = request.start.hash if isinstance(request.start, FromHash) else None
            block = None if wanted is None else self._spoiled.get(wanted)
            if wanted is None or block is None:
                return await handler(peer, payload)
            data = BlockData(wanted, block.header, block.extrinsics, None)
            return encode((data,), BlockResponse)

        super().on_request(protocol, answer if protocol == SYNC else handler)

    def _is_ours(self, node: Node, header: Header) -> bool:
        claim = pre_digest_of(header)
        epoch = node.chain.epoch_of_child(header.parent_hash, claim.slot)
        author = epoch.authorities[claim.authority_index][0]
        return bytes(author) in self._keys.public_keys(KeyType.BABE)

    def _spoil(self, node: Node, header: Header) -> Block:
        body = node.chain.body(header.hash())
        assert body is not None, "what we announce we have"
        extrinsics = (*body, GARBAGE)
        unsealed = replace(
            header, extrinsics_root=H256(extrinsics_root(extrinsics)), digest=header.digest[:-1]
        )
        (public,) = self._keys.public_keys(KeyType.BABE)
        key = self._keys.get(KeyType.BABE, public)
        assert isinstance(key, sr25519.Keypair), "BABE keys are"
        seal = Seal(BABE_ENGINE, sr25519.sign(key, unsealed.hash()))
        block = Block(replace(unsealed, digest=(*unsealed.digest, seal)), extrinsics)
        self._spoiled[block.header.hash()] = block
        if len(self._spoiled) > KEPT:
            self._spoiled.popitem(last=False)
        self._journal.record("adversary.spoiled_block", block=block.header.hash())
        return block
