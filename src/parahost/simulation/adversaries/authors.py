"""Adversaries that make blocks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

import trio

from parahost.chain.chain import ChainEvent
from parahost.consensus.babe.digests import pre_digest_of
from parahost.crypto import sr25519
from parahost.node.messages.base import Message
from parahost.node.messages.utility import ProvisionBackable, ProvisionBitfield
from parahost.node.node import Node
from parahost.node.role import Role
from parahost.ports import KeyType
from parahost.primitives.events import BlockImportEvent
from parahost.primitives.header import BABE_ENGINE, Block, PreRuntime, Seal
from parahost.primitives.inherent import ParachainsInherentData
from parahost.runtime import inherents
from parahost.simulation.adversaries.adversary import Adversary
from parahost.simulation.build import Alteration, Build
from parahost.simulation.faults import World


@dataclass(frozen=True, kw_only=True)
class CensoringAuthor(Adversary):
    """Puts no candidate of these paras into its blocks; of no para, when none is named."""

    kind: ClassVar[str] = "censoring_author"

    paras: tuple[int, ...] = ()

    def check(self, roles: dict[str, Role]) -> None:
        super().check(roles)
        for para in self.paras:
            if f"collator-{para}" not in roles:
                raise ValueError(f"{self.kind}: there is no para {para}")

    def conspire(self, world: World) -> Alteration:
        def alter(build: Build) -> None:
            build.interceptors.append(_Censor(self.paras))

        return alter


class _Censor:
    def __init__(self, paras: tuple[int, ...]) -> None:
        self._paras = paras

    def intercept(self, sender: str, message: Message) -> Iterable[Message]:
        if isinstance(message, ProvisionBackable):
            para = message.candidate.candidate.descriptor.para_id
            if not self._paras or para in self._paras:
                return ()
        return (message,)


@dataclass(frozen=True, kw_only=True)
class EmptyAuthor(Adversary):
    """Makes blocks without candidates and without votes on availability."""

    kind: ClassVar[str] = "empty_author"

    def conspire(self, world: World) -> Alteration:
        def alter(build: Build) -> None:
            build.interceptors.append(_Oblivion())

        return alter


class _Oblivion:
    def intercept(self, sender: str, message: Message) -> Iterable[Message]:
        return () if isinstance(message, ProvisionBackable | ProvisionBitfield) else (message,)


@dataclass(frozen=True, kw_only=True)
class EquivocatingAuthor(Adversary):
    """Makes two good blocks for each of its slots, the second without parachains."""

    kind: ClassVar[str] = "equivocating_author"

    def conspire(self, world: World) -> Alteration:
        def alter(build: Build) -> None:
            build.jobs.append(lambda node: _equivocate(build, node))

        return alter


async def _equivocate(build: Build, node: Node) -> None:
    """Follow the chain, and make a rival for each block of our own."""
    (own,) = build.keys.public_keys(KeyType.BABE)
    send, receive = trio.open_memory_channel[BlockImportEvent](64)
    answered: dict[int, None] = {}

    def listen(event: ChainEvent) -> None:
        if isinstance(event, BlockImportEvent):
            send.send_nowait(event)

    node.chain.subscribe(listen)
    async for event in receive:
        claim = pre_digest_of(event.header)
        epoch = node.chain.epoch_of_child(event.header.parent_hash, claim.slot)
        if epoch.authorities[claim.authority_index][0] != own or claim.slot in answered:
            continue
        answered[claim.slot] = None
        node.chain.import_block(_rival(build, node, event))


def _rival(build: Build, node: Node, event: BlockImportEvent) -> Block:
    """Another block on the same parent, for the same slot."""
    parent = node.chain.header(event.header.parent_hash)
    assert parent is not None, "the parent of what was imported is known"
    claim = next(item for item in event.header.digest if isinstance(item, PreRuntime))
    slot_ms = node.parameters.slot_duration_ms
    slot = pre_digest_of(event.header).slot
    builder = node.runtime.new_block(node.chain.state(parent.hash()), parent, (claim,))
    builder.apply(inherents.timestamp(slot * slot_ms + slot_ms - 1))
    builder.apply(inherents.parachains(ParachainsInherentData((), (), (), parent)))
    block, _ = builder.finish()
    (public,) = build.keys.public_keys(KeyType.BABE)
    key = build.keys.get(KeyType.BABE, public)
    assert isinstance(key, sr25519.Keypair)
    seal = Seal(BABE_ENGINE, sr25519.sign(key, block.header.hash()))
    return Block(replace(block.header, digest=(*block.header.digest, seal)), block.extrinsics)
