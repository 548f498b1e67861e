"""A relay chain with an adder as parachain and another as parathread, and nodes on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from parahost.crypto import sr25519
from parahost.crypto.keystore import KeyRing, ProtectedKeyStore
from parahost.node.collation.para_standing import Expected
from parahost.node.leaf import ActiveLeaf
from parahost.node.messages.base import Message
from parahost.node.overseer import Subsystem
from parahost.parachains.adder.collator import AdderCollator
from parahost.parachains.code import example_code
from parahost.parachains.collator import Collator, Services
from parahost.parachains.store import Store
from parahost.ports import Database, KeyType
from parahost.primitives.basic import U32, Hash, ParaId, ValidationCodeHash
from parahost.primitives.hashing import blake2_256
from parahost.runtime.balances import UNIT
from parahost.runtime.genesis import GenesisConfig
from parahost.runtime.parachains.configuration import DEFAULT_CONFIGURATION
from parahost.runtime.parachains.paras import ParaGenesisArgs
from parahost.runtime.storage import State
from parahost.storage import MemoryDatabase
from tests.node.harness import ListJournal, TrioClock
from tests.runtime.world import Chain, account, key, validators

PARACHAIN = ParaId(U32(2000))
PARATHREAD = ParaId(U32(2001))
ADDER = ParaGenesisArgs(AdderCollator().genesis_head(PARACHAIN), example_code("adder"), True)
EXPECTED = Expected(ADDER.genesis_head, ValidationCodeHash(blake2_256(ADDER.validation_code)))
NAMES = ("Alice", "Bob", "Charlie", "Dave")
GENESIS = GenesisConfig(
    validators=validators(*NAMES),
    configuration=replace(DEFAULT_CONFIGURATION, parathread_cores=U32(1)),
    paras=((PARACHAIN, ADDER), (PARATHREAD, replace(ADDER, parachain=False))),
    slot_duration_ms=2000,
    epoch_length=50,
    balances=((account("Eve"), UNIT), (account("Ferdie"), UNIT)),
)
COLLATOR = sr25519.Keypair.from_uri("//Ferdie")


def chain() -> Chain:
    return Chain(GENESIS)


def collator_keys(database: Database | None = None) -> ProtectedKeyStore:
    ring = KeyRing()
    ring.add(KeyType.COLLATOR, COLLATOR)
    return ProtectedKeyStore(ring, database or MemoryDatabase())


def validator_keys(name: str) -> ProtectedKeyStore:
    ring = KeyRing()
    ring.add(KeyType.PARACHAIN, key(name, "para"))
    return ProtectedKeyStore(ring, MemoryDatabase())


async def started(collator: Collator, para_id: ParaId = PARACHAIN) -> Collator:
    head = collator.genesis_head(para_id)
    assert head is not None
    store = Store(MemoryDatabase())
    await collator.start(
        Services(para_id, head, store, ListJournal(), TrioClock(), lambda job: None)
    )
    return collator


def newest(chain: Chain) -> ActiveLeaf:
    """The chain's newest block, as an import brings it to the overseer."""
    return ActiveLeaf(chain.state, chain.header.hash(), chain.header)


class States:
    """The states of a test's blocks, for the Runtime API."""

    def __init__(self) -> None:
        self._states: dict[Hash, State] = {}

    def note(self, chain: Chain) -> Hash:
        block = chain.header.hash()
        self._states[block] = chain.state
        return block

    def __call__(self, block: Hash) -> State | None:
        return self._states.get(block)


Script = Callable[[Message], None]


class Scripted(Subsystem):
    """Stands for neighbours: takes what they would, keeps it, and lets the test answer."""

    name = "neighbours"

    def __init__(self, receives: Sequence[type[Message]], script: Script | None = None) -> None:
        self.receives = tuple(receives)  # type: ignore[misc]
        self.seen: list[Any] = []
        self._script = script

    def on_message(self, message: Message) -> None:
        self.seen.append(message)
        if self._script is not None:
            self._script(message)

    def of(self, kind: type[Any]) -> list[Any]:
        return [message for message in self.seen if isinstance(message, kind)]
