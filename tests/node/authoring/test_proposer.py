"""What an author puts into its block."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from parahost.chain.errors import UnknownBlock
from parahost.consensus.babe.epochs import BabeParameters
from parahost.node.authoring.proposer import BlockProposer
from parahost.node.messages.utility import BlockAuthorshipData
from parahost.primitives.basic import U32, U64, Hash, ParaId, SessionIndex, Slot
from parahost.primitives.header import BABE_ENGINE, Block, Consensus, Extrinsic
from parahost.primitives.inherent import ParachainsInherentData
from parahost.primitives.misbehavior import CandidateValidityDisagreement, MisbehaviorReport
from parahost.runtime import inherents
from parahost.runtime.contradictions import ReportContradiction
from parahost.runtime.extrinsic import inherent, open_envelope
from parahost.runtime.parachains.approvals import CandidateAccepted
from parahost.runtime.parachains.sanitize import NO_CHECKS
from parahost.runtime.parachains.validity import NoteChecks
from parahost.runtime.parathreads import Claim
from parahost.runtime.storage import State
from parahost.runtime.weights import millis
from parahost.simulation.executor import InlineExecutor
from tests.runtime import world
from tests.runtime.test_contradictions import (
    BOTH_WAYS,
    CONTEXT,
    INVALID,
    OFFENDER,
    TWO_SECONDED,
    VALID,
    candidate,
)
from tests.runtime.test_staking import STAKE, STAKED, stake
from tests.runtime.test_validity import checked, including
from tests.runtime.world import NAMES, Chain, weigh


class Provisioner:
    """Has an inherent, which is empty unless a test says else, and reports of misbehaviour."""

    def __init__(
        self,
        chain: Chain,
        inherent: ParachainsInherentData | None = None,
        misbehavior: Sequence[MisbehaviorReport] = (),
        checks: NoteChecks = NO_CHECKS,
    ) -> None:
        inherent = inherent or ParachainsInherentData((), (), (), chain.header)
        self._data = BlockAuthorshipData(inherent, checks, tuple(misbehavior))

    async def ask(self, request: object) -> BlockAuthorshipData:
        return self._data


class At:
    """A clock that stands at a moment, in seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def now(self) -> float:
        return self._seconds


class Silence:
    def record(self, what: str, **fields: object) -> None:
        raise AssertionError(f"{what} {fields}")


class Lines:
    """Keeps the names of the events that were recorded."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def record(self, what: str, **fields: object) -> None:
        self.events.append(what)


def proposer(
    chain: Chain,
    seconds: float,
    transactions: Iterable[Extrinsic] = (),
    *,
    journal: Any = None,
    inherent: ParachainsInherentData | None = None,
    misbehavior: Sequence[MisbehaviorReport] = (),
    checks: NoteChecks = NO_CHECKS,
    state_of: Callable[[Hash], State] | None = None,
) -> BlockProposer:
    genesis = chain.genesis
    parameters = BabeParameters(
        U64(genesis.slot_duration_ms), U64(genesis.epoch_length), (U64(1), U64(4))
    )
    parts: Any = (
        Provisioner(chain, inherent, misbehavior, checks),
        chain.runtime,
        At(seconds),
        journal or Silence(),
        InlineExecutor(),
    )
    return BlockProposer(
        *parts,
        header_of=lambda _: chain.header,
        state_of=state_of or (lambda _: chain.state),
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
    weigh(monkeypatch, Claim, lambda call: millis(900 if call.para == 1 else 1))
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


async def proposed(chain: Chain, **world_of: Any) -> Block | None:
    slot = Slot(U64(chain.slot + 1))
    now = slot * chain.genesis.slot_duration_ms / 1000
    claim = world.pre_digest(chain.claim(slot))
    waiting = [chain.signed("Alice", Claim(ParaId(U32(1))))]
    made = proposer(chain, now, waiting, **world_of)
    return await made.propose(chain.header.hash(), slot, claim, now + 1)


async def test_a_parent_that_finality_leaves_meanwhile_costs_the_slot_and_no_more() -> None:
    chain, lines = Chain(), Lines()
    chain.step()

    def gone(block: Hash) -> State:
        raise UnknownBlock(block)

    assert await proposed(chain, journal=lines, state_of=gone) is None
    assert lines.events == ["author.parent_gone"]


async def test_an_inherent_that_is_refused_leaves_a_block_without_parachains() -> None:
    chain, lines = Chain(), Lines()
    chain.step()
    foreign = replace(chain.header, number=chain.header.number + 7)  # type: ignore[arg-type]
    refused = ParachainsInherentData((), (), (), foreign)
    made = await proposed(chain, journal=lines, inherent=refused)
    assert made is not None
    assert lines.events == ["author.refused", "author.refused"]
    assert len(made.extrinsics) == 2, "the inherents alone"
    chain.execute(made)


async def test_a_header_that_a_transaction_made_too_long_leaves_a_block_without_transactions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chain, lines = Chain(), Lines()
    chain.step()
    deposit = Consensus(BABE_ENGINE, bytes(70 * 1024))
    apply, applied = chain.runtime._apply_extrinsic, 0

    def apply_and_deposit(store: Any, extrinsic: Extrinsic) -> None:
        nonlocal applied
        apply(store, extrinsic)
        applied += 1
        if applied == 3:  # after the two inherents
            for _ in range(2):
                chain.runtime.modules.system.deposit_log(store, deposit)

    monkeypatch.setattr(chain.runtime, "_apply_extrinsic", apply_and_deposit)
    made = await proposed(chain, journal=lines)
    assert made is not None
    assert lines.events == ["author.refused"]
    assert len(made.extrinsics) == 2
    monkeypatch.undo()
    chain.execute(made)


@pytest.mark.guide("A109")
async def test_contradictions_are_brought_to_the_chain_and_cost_their_author() -> None:
    """Two deeds, a tenth of the stake each. A disagreement proves nothing of anybody by itself."""
    chain = Chain(STAKED)
    chain.step()
    disagreement = CandidateValidityDisagreement(CONTEXT, candidate(1), (VALID, INVALID))
    made = await proposed(chain, misbehavior=(disagreement, BOTH_WAYS, TWO_SECONDED))
    assert made is not None
    assert len(made.extrinsics) == 5, "two inherents, two reports, a transaction"
    chain.state = chain.execute(made).state
    assert stake(chain, NAMES[OFFENDER]) == STAKE * 9 // 10 * 9 // 10


async def test_what_this_fork_knows_is_not_reported_again() -> None:
    """The node keeps reports for other forks; here nobody is told of them."""
    chain = Chain(STAKED)
    chain.step(inherent(ReportContradiction(BOTH_WAYS)))
    chain.step(slot=chain.next_slot(2))  # the next slot is not the offender's
    made = await proposed(chain, misbehavior=(BOTH_WAYS, TWO_SECONDED), journal=Silence())
    assert made is not None
    reported = [open_envelope(extrinsic).call() for extrinsic in made.extrinsics]
    assert [call.proof for call in reported if isinstance(call, ReportContradiction)] == [
        TWO_SECONDED
    ]


@pytest.mark.guide("A104")
async def test_checks_follow_the_inherents_and_a_candidate_is_accepted() -> None:
    chain, record = including()
    checks = NoteChecks((checked(chain, record),))
    made = await proposed(chain, checks=checks)
    assert made is not None
    assert made.extrinsics[2] == inherents.checks(checks)
    assert len(made.extrinsics) == 4
    chain.state = chain.execute(made).state
    assert CandidateAccepted(*record.key()) in chain.events()


async def test_checks_that_are_refused_leave_a_block_without_them() -> None:
    """Its parachains stay."""
    (chain, record), lines = including(), Lines()
    wrong = replace(checked(chain, record), session=SessionIndex(U32(77)))
    made = await proposed(chain, journal=lines, checks=NoteChecks((wrong,)))
    assert made is not None
    assert lines.events == ["author.refused"]
    assert len(made.extrinsics) == 2
    chain.execute(made)
