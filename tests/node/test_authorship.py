"""What an author puts into its block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from parahost.consensus.babe.epochs import BabeParameters
from parahost.node.authorship import BlockProposer
from parahost.node.messages.utility import BlockAuthorshipData
from parahost.primitives.basic import U32, U64, ParaId, Slot
from parahost.primitives.header import Extrinsic
from parahost.primitives.inherent import ParachainsInherentData
from parahost.runtime import inherents
from parahost.runtime.parathreads import Claim
from parahost.runtime.weights import millis
from tests.runtime import world
from tests.runtime.world import Chain


class Provisioner:
    """Has nothing but an empty inherent."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    async def ask(self, request: object) -> BlockAuthorshipData:
        return BlockAuthorshipData(ParachainsInherentData((), (), (), self._chain.header), ())


class At:
    """A clock that stands at a moment, in seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def now(self) -> float:
        return self._seconds


class Silence:
    def record(self, what: str, **fields: object) -> None:
        raise AssertionError(f"{what} {fields}")


def proposer(chain: Chain, seconds: float, transactions: Iterable[Extrinsic] = ()) -> BlockProposer:
    genesis = chain.genesis
    parameters = BabeParameters(
        genesis.slot_duration_ms, U64(genesis.epoch_length), (U64(1), U64(4))
    )
    parts: Any = (Provisioner(chain), chain.runtime, At(seconds), Silence())
    return BlockProposer(
        *parts,
        header_of=lambda _: chain.header,
        state_of=lambda _: chain.state,
        transactions=lambda: transactions,
        parameters=parameters,
    )


@pytest.mark.parametrize("into_slot_ms", [0, 50, 900, 1000, 1999])
async def test_a_late_timestamp_silences_nobody(into_slot_ms: int) -> None:
    """The parent's author has said the last millisecond of its slot, as it may. Whoever is next
    says the earliest time allowed, or its own where that is later."""
    chain = Chain()
    chain.step()
    slot_ms = chain.genesis.slot_duration_ms
    late = chain.slot + 1
    builder = chain.builder(slot=late, with_inherents=False)
    builder.apply(inherents.timestamp(late * slot_ms + slot_ms - 1))
    builder.apply(chain.parachains())
    block, chain.state = builder.finish()
    chain.header, chain.slot = block.header, late

    slot = Slot(U64(late + 1))
    start_ms = slot * slot_ms
    now = (start_ms + into_slot_ms) / 1000
    pre_digest = world.pre_digest(chain.claim(slot))
    made = await proposer(chain, now).propose(chain.header.hash(), slot, pre_digest, now + 1)
    assert made is not None
    after = chain.execute(made).state
    said = chain.runtime.modules.timestamp.now.get(after)
    assert said == max(start_ms + into_slot_ms, start_ms + slot_ms // 2 - 1)


async def test_a_full_block_is_done_however_many_transactions_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Eight that do not fit are enough; a smaller one among them still gets in."""
    monkeypatch.setattr(Claim, "__weight__", lambda call: millis(900 if call.para == 1 else 1))
    chain = Chain()
    chain.step()
    large, small = Claim(ParaId(U32(1))), Claim(ParaId(U32(2)))
    taken = []

    def waiting() -> Iterator[Extrinsic]:
        order = [("Alice", large), ("Bob", large), ("Charlie", large), ("Dave", small)]
        order += [("Eve", large)] * 100
        for name, call in order:
            taken.append(name)
            yield chain.signed(name, call)

    slot = Slot(U64(chain.slot + 1))
    now = slot * chain.genesis.slot_duration_ms / 1000
    pre_digest = world.pre_digest(chain.claim(slot))
    made = await proposer(chain, now, waiting()).propose(
        chain.header.hash(), slot, pre_digest, now + 1
    )
    assert made is not None
    included = (("Alice", large), ("Bob", large), ("Dave", small))
    assert made.extrinsics[2:] == tuple(chain.signed(name, call) for name, call in included)
    assert taken == ["Alice", "Bob", "Charlie", "Dave"] + ["Eve"] * 7
    chain.execute(made)
