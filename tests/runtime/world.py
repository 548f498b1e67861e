"""A chain without a network: blocks are built, executed anew, and all modules checked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache

import pytest

from parahost.crypto import ed25519, sr25519
from parahost.crypto.verifier import DirectVerifier
from parahost.crypto.vrf import vrf_sign
from parahost.primitives.basic import (
    H256,
    U32,
    U64,
    BabeId,
    GrandpaId,
    HeadData,
    ParaId,
    Slot,
    ValidationCode,
    ValidatorId,
)
from parahost.primitives.consensus import BabePreDigest, PrimaryPreDigest, SecondaryVrfPreDigest
from parahost.primitives.header import (
    BABE_ENGINE,
    Block,
    Extrinsic,
    Header,
    PreRuntime,
)
from parahost.primitives.inherent import ParachainsInherentData
from parahost.primitives.scale import encode
from parahost.runtime import api, inherents
from parahost.runtime.babe import slot_transcript
from parahost.runtime.balances import UNIT
from parahost.runtime.executive import BlockBuilder, Executed, Runtime
from parahost.runtime.extrinsic import Era, signed
from parahost.runtime.genesis import GenesisConfig, genesis_header
from parahost.runtime.module import RuntimeCall, RuntimeEvent
from parahost.runtime.origin import AccountId
from parahost.runtime.parachains.configuration import DEFAULT_CONFIGURATION
from parahost.runtime.parachains.paras import ParaGenesisArgs
from parahost.runtime.session import SessionKeys, Validator
from parahost.runtime.storage import State
from parahost.runtime.sudo import SudoCall
from parahost.runtime.weights import Weigh

NAMES: tuple[str, ...] = ("Alice", "Bob", "Charlie", "Dave", "Eve", "Ferdie")
FIRST_SLOT = 1000
SLOT_MS = 2000
EPOCH_SLOTS = 5
ROOT_NAME = "Root"


@cache
def key(name: str, role: str = "") -> sr25519.Keypair:
    """An sr25519 key: an account's, or with a role a validator's."""
    return sr25519.Keypair.from_uri(f"//{name}{'//' + role if role else ''}")


@cache
def grandpa_key(name: str) -> ed25519.Keypair:
    return ed25519.Keypair.from_uri(f"//{name}")


def account(name: str) -> AccountId:
    return AccountId(H256(key(name).public))


def session_keys(name: str, generation: str = "") -> SessionKeys:
    return SessionKeys(
        GrandpaId(H256(grandpa_key(name + generation).public)),
        BabeId(H256(key(name + generation, "babe").public)),
        ValidatorId(H256(key(name + generation, "para").public)),
    )


def validators(*names: str) -> tuple[Validator, ...]:
    return tuple(Validator(account(name), session_keys(name)) for name in names)


def para(id_: int, *, parachain: bool = True) -> tuple[ParaId, ParaGenesisArgs]:
    head = HeadData(b"head of %d" % id_)
    code = ValidationCode(b"\x00asm code of %d" % id_)
    return ParaId(U32(id_)), ParaGenesisArgs(head, code, parachain)


GENESIS = GenesisConfig(
    validators=validators(*NAMES[:4]),
    sudo=account(ROOT_NAME),
    configuration=replace(DEFAULT_CONFIGURATION, parathread_cores=U32(1)),
    paras=(para(100), para(101), para(200, parachain=False)),
    slot_duration_ms=SLOT_MS,
    epoch_length=EPOCH_SLOTS,
    balances=tuple((account(name), 1000 * UNIT) for name in (*NAMES, ROOT_NAME)),
)

SHARED_RUNTIME = Runtime(DirectVerifier())


@dataclass
class Chain:
    """The best chain and nothing else. ``step`` makes the next block; each is executed anew and
    has to give the same state."""

    genesis: GenesisConfig = GENESIS
    runtime: Runtime = SHARED_RUNTIME
    state: State = field(init=False)
    header: Header = field(init=False)
    slot: int = FIRST_SLOT - 1
    blocks: list[Block] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state = self.genesis.build()
        self.header = genesis_header(self.state)
        self.genesis_hash = self.header.hash()

    # Building blocks

    def claim(self, slot: int, *, primary: bool = True) -> PrimaryPreDigest | SecondaryVrfPreDigest:
        """Of the authority whose turn it is, with a true VRF output of the current epoch."""
        babe = self.runtime.modules.babe
        authorities = babe.authorities.get(self.state)
        index = slot % len(authorities)
        authored = vrf_sign(
            self._babe_key(authorities[index][0]),
            slot_transcript(
                Slot(U64(slot)), babe.epoch_index.get(self.state), babe.randomness.get(self.state)
            ),
        )
        kind = PrimaryPreDigest if primary else SecondaryVrfPreDigest
        return kind(
            U32(index),
            Slot(U64(slot)),
            H256(authored.pre_output),
            authored.proof,  # type: ignore[arg-type]
        )

    def _babe_key(self, public: bytes) -> sr25519.Keypair:
        for name in NAMES:
            for generation in ("", "2"):
                keypair = key(name + generation, "babe")
                if keypair.public == public:
                    return keypair
        raise AssertionError("an authority that no test knows")

    def builder(
        self,
        *,
        slot: int | None = None,
        with_inherents: bool = True,
        primary: bool = True,
        data: ParachainsInherentData | None = None,
    ) -> BlockBuilder:
        slot = self.next_slot() if slot is None else slot
        builder = self.runtime.new_block(
            self.state, self.header, (pre_digest(self.claim(slot, primary=primary)),)
        )
        if with_inherents:
            builder.apply(self.timestamp(slot))
            builder.apply(self.parachains(data))
        return builder

    def next_slot(self, after: int = 1) -> int:
        """The first one so many slots on, or later, whose author is not disabled."""
        authorities = self.runtime.modules.babe.authorities.get(self.state)
        disabled, slot = api.disabled_authors(self.state), self.slot + after
        while authorities[slot % len(authorities)][0] in disabled:
            slot += 1
        return slot

    def timestamp(self, slot: int) -> Extrinsic:
        return inherents.timestamp(slot * self.genesis.slot_duration_ms)

    def parachains(self, data: ParachainsInherentData | None = None) -> Extrinsic:
        return inherents.parachains(data or ParachainsInherentData((), (), (), self.header))

    def step(
        self,
        *extrinsics: Extrinsic,
        slot: int | None = None,
        primary: bool = True,
        data: ParachainsInherentData | None = None,
    ) -> Block:
        """The next block, in the next slot of which a block is taken unless told otherwise."""
        slot = self.next_slot() if slot is None else slot
        builder = self.builder(slot=slot, primary=primary, data=data)
        for extrinsic in extrinsics:
            builder.apply(extrinsic)
        block, state = builder.finish()
        executed = self.execute(block)
        assert executed.state.root == state.root
        assert self.state.apply(executed.changes).root == state.root
        self.runtime.modules.check(state)
        self.state, self.header, self.slot = state, block.header, slot
        self.blocks.append(block)
        return block

    def steps(self, count: int) -> None:
        for _ in range(count):
            self.step()

    def execute(self, block: Block) -> Executed:
        return self.runtime.execute_block(self.state, block)

    # Extrinsics

    def signed(
        self,
        name: str,
        call: RuntimeCall,
        *,
        nonce: int | None = None,
        tip: int = 0,
        era: Era = None,
    ) -> Extrinsic:
        signer = account(name)
        system = self.runtime.modules.system
        if nonce is None:
            nonce = system.nonce(self.state, signer)
        era_hash = None
        if era is not None:
            birth = era.birth(self.header.number)
            era_hash = (
                self.header.hash()
                if birth == self.header.number
                else system.block_hash(self.state, birth)
            )
        return signed(
            call,
            signer,
            lambda payload: sr25519.sign(key(name), payload),
            nonce=nonce,
            genesis_hash=self.genesis_hash,
            tip=tip,
            era=era,
            era_hash=era_hash,
        )

    def sudo(self, call: RuntimeCall) -> Extrinsic:
        return self.signed(ROOT_NAME, SudoCall(call))

    # Looking

    def events(self) -> list[RuntimeEvent]:
        return [record.event for record in self.runtime.modules.system.block_events(self.state)]


def pre_digest(claim: BabePreDigest) -> PreRuntime:
    return PreRuntime(BABE_ENGINE, encode(claim, BabePreDigest))


def weigh(monkeypatch: pytest.MonkeyPatch, call: type[RuntimeCall], weight: Weigh) -> None:
    """Let calls of that class weigh something else during one test."""
    monkeypatch.setattr(call, "declared", replace(call.declared, weight=weight))
