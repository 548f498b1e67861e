"""The checkers of checks, disputes and stakes notice what must not be, and let pass what may."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio

from parahost.primitives.basic import U32, U128, BlockNumber
from parahost.primitives.runtime_api import IncludedCandidate
from parahost.runtime import inherents
from parahost.runtime.parachains.validity import NoteChecks
from parahost.runtime.slashing import Misconduct, Slashing
from parahost.runtime.staking import Ledger
from parahost.runtime.storage import Overlay
from parahost.simulation.checkers import OK
from parahost.simulation.checkers.candidate_judge import CandidateJudge, Flaw
from parahost.simulation.checkers.ledger import LedgerCandidate
from parahost.simulation.checkers.stakes import (
    SLASHED_WITHIN,
    InvalidBackersSlashed,
    NoHonestSlashed,
    StakeConserved,
)
from parahost.simulation.checkers.verdicts import (
    VOTES_COME_WITHIN,
    AcceptedOrDisputed,
    DisputesConclude,
    NothingFinalInvalid,
    NoWakeUpMissing,
    blocks_to_verdict,
)
from parahost.simulation.journal import TraceEvent
from tests.runtime.test_validity import (
    ALONE,
    CONFIG,
    STAKE,
    against,
    checked,
    empty,
    including,
    name_of,
)
from tests.runtime.world import NAMES, SHARED_RUNTIME, Chain, account
from tests.simulation.checkers.doctored import DoctoredRun

MODULES = SHARED_RUNTIME.modules
QUIET = replace(
    ALONE, configuration=replace(ALONE.configuration, acceptance_period=BlockNumber(U32(60)))
)


@pytest.fixture
def case() -> tuple[Chain, IncludedCandidate]:
    """A chain that has included candidates, each backed by one validator, and one of them."""
    return including(QUIET)


def others(record: IncludedCandidate) -> list[int]:
    return [index for index in range(len(NAMES)) if index not in record.backers]


def dispute(run: DoctoredRun, record: IncludedCandidate, *voters: int) -> None:
    """A block brings votes against the candidate."""
    run.step(data=replace(empty(run.chain), disputes=(against(run.chain, record, *voters),)))


Case = tuple[Chain, IncludedCandidate]


def backer(case: Case) -> str:
    chain, record = case
    return name_of(record, record.backers[0], chain)


# What is final


@pytest.mark.parametrize("is_bad", [False, True])
async def test_an_invalid_candidate_that_only_the_dishonest_back_must_not_be_final(
    case: Case, monkeypatch: pytest.MonkeyPatch, is_bad: bool
) -> None:
    chain, record = case
    spoil(monkeypatch, record, is_bad=is_bad)
    run = DoctoredRun(NothingFinalInvalid, chain, dishonest=[backer(case)])
    final = run.tip
    assert final.parent is not None
    run.checker.on_final(NAMES[1], final.parent)
    assert run.checker.is_ok
    run.checker.on_final(NAMES[1], final)
    assert run.checker.is_ok is not is_bad
    if is_bad:
        assert f"final for {NAMES[1]}, not valid: as the test says" in run.checker.verdict


async def test_nothing_is_promised_where_too_many_are_dishonest(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, record = case
    spoil(monkeypatch, record)
    run = DoctoredRun(NothingFinalInvalid, chain, dishonest=NAMES[:3])
    run.dishonest.add(backer(case))
    run.checker.on_final(NAMES[5], run.tip)
    assert run.checker.is_ok


def spoil(
    monkeypatch: pytest.MonkeyPatch, record: IncludedCandidate, *, is_bad: bool = True
) -> None:
    """Let the candidate be invalid, and all others valid."""

    def flaw(self: CandidateJudge, one: LedgerCandidate) -> Flaw | None:
        is_it = one.candidate == record.receipt.hash()
        return Flaw("not valid: as the test says") if is_it and is_bad else None

    monkeypatch.setattr(CandidateJudge, "flaw", flaw)


# Within their bounds


async def test_a_candidate_that_nobody_checks(case: Case) -> None:
    chain, _ = case
    run = DoctoredRun(AcceptedOrDisputed, chain)
    bound = blocks_to_verdict(run.tip)
    run.steps(bound - 1)
    assert run.end() == OK
    run.steps(1)
    assert f"after {bound} blocks its candidate is neither accepted" in run.end()


async def test_candidates_that_are_checked_or_disputed(case: Case) -> None:
    chain, _ = case
    run = DoctoredRun(AcceptedOrDisputed, chain)
    records = MODULES.parachains.validity.included.included_candidates(chain.state)
    checks = NoteChecks(tuple(checked(chain, record) for record in records[1:]))
    run.step(inherents.checks(checks))
    dispute(run, records[0], *others(records[0])[:1])
    run.steps(blocks_to_verdict(run.tip))
    assert run.end() == OK


@pytest.mark.parametrize("calm_since", [0.0, 1000.0])
async def test_a_dispute_that_goes_on_for_ever(case: Case, calm_since: float) -> None:
    chain, record = case
    run = DoctoredRun(DisputesConclude, chain, calm_since=calm_since)
    dispute(run, record, others(record)[0])
    run.steps(VOTES_COME_WITHIN)
    assert run.end() == OK
    run.steps(1)
    expected = f"is disputed since block {record.included_in + 1} and after 13 blocks"
    assert (expected in run.end()) is not bool(calm_since)


async def test_a_dispute_that_is_concluded(case: Case) -> None:
    chain, record = case
    run = DoctoredRun(DisputesConclude, chain)
    dispute(run, record, *others(record))
    run.steps(VOTES_COME_WITHIN + 1)
    assert run.end() == OK


@pytest.mark.parametrize("is_woken", [False, True])
async def test_a_node_that_does_not_wake_up(
    case: Case, autojump_clock: object, is_woken: bool
) -> None:
    chain, _ = case
    run = DoctoredRun(NoWakeUpMissing, chain)
    including = run.tip
    records = MODULES.parachains.validity.included.included_candidates(chain.state)
    bound_s = blocks_to_verdict(including) * run.checker.scene.plan.shape.slot_s
    run.step()
    await trio.sleep(including.at + bound_s)
    run.checker.on_import(NAMES[0], run.tip)
    assert run.checker.is_ok
    for record in records if is_woken else records[1:]:
        fields: dict[str, object] = {
            "relay_parent": including.hash,
            "candidate": record.receipt.hash(),
        }
        run.checker.on_event(TraceEvent(0.0, NAMES[0], "approval.approved", fields))
    await trio.sleep(1.0)
    run.checker.on_import(NAMES[0], run.tip)
    assert run.checker.is_ok is is_woken
    if not is_woken:
        assert f"{NAMES[0]} still waits for its checks" in run.checker.verdict


# Stakes


async def test_an_honest_validator_that_is_slashed(case: Case) -> None:
    """The candidate is found invalid, and its backer is honest."""
    chain, record = case
    run = DoctoredRun(NoHonestSlashed, chain)
    dispute(run, record, *others(record))
    assert f"{backer(case)} has lost {STAKE} of its stake" in run.checker.verdict


async def test_a_dishonest_validator_that_is_slashed(case: Case) -> None:
    chain, record = case
    run = DoctoredRun(NoHonestSlashed, chain, dishonest=[backer(case)])
    dispute(run, record, *others(record))
    assert run.checker.is_ok


@pytest.mark.parametrize("calm_since", [0.0, 1000.0])
async def test_who_vouches_in_a_time_of_trouble_pays_without_blame(calm_since: float) -> None:
    """Nobody else votes, and those who have vouched are punished for wasting time (A63)."""
    hasty = replace(QUIET, validity=replace(CONFIG, dispute_period=BlockNumber(U32(5))))
    chain, record = including(hasty)
    first = others(record)[0]
    liar = name_of(record, first, chain)
    run = DoctoredRun(NoHonestSlashed, chain, dishonest=[liar], calm_since=calm_since)
    dispute(run, record, first)
    run.steps(5)
    assert run.checker.is_ok
    run.steps(1)
    who = backer((chain, record))
    assert MODULES.staking.stake(chain.state, account(who)) == STAKE - STAKE // 1000
    assert run.checker.is_ok is bool(calm_since)


async def test_an_honest_validator_that_errs_in_a_time_of_trouble(case: Case) -> None:
    """Trouble excuses silence, and nothing else."""
    chain, record = case
    run = DoctoredRun(NoHonestSlashed, chain, calm_since=1000.0)
    dispute(run, record, *others(record))
    assert f"{backer(case)} has lost {STAKE} of its stake" in run.checker.verdict


async def test_what_an_owner_takes_back_is_not_lost(case: Case) -> None:
    chain, _ = case
    who = account(NAMES[0])

    def give_back(store: Overlay) -> None:
        MODULES.staking.ledger.put(store, who, Ledger(U128(STAKE // 2)))
        MODULES.balances.unreserve(store, who, STAKE // 2)

    run = DoctoredRun(NoHonestSlashed, chain)
    run.step(doctor=give_back)
    assert run.checker.is_ok


async def test_backers_of_an_invalid_candidate_that_keep_their_stake(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dispute is won, and the runtime forgets what that costs."""
    chain, record = case
    spoil(monkeypatch, record)
    punish = Slashing.punish

    def spare(self: Slashing, store: Overlay, misconduct: Misconduct, *args: object) -> int:
        if misconduct is Misconduct.BACKED_INVALID:
            return 0
        return punish(self, store, misconduct, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Slashing, "punish", spare)
    run = DoctoredRun(InvalidBackersSlashed, chain, dishonest=[backer(case)])
    dispute(run, record, *others(record))
    run.steps(SLASHED_WITHIN - 1)
    assert run.end() == OK, "there is time"
    run.steps(1)
    assert f"{backer(case)} has backed an invalid candidate" in run.end()


async def test_backers_of_an_invalid_candidate_that_lose_their_stake(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, record = case
    spoil(monkeypatch, record)
    run = DoctoredRun(InvalidBackersSlashed, chain, dishonest=[backer(case)])
    dispute(run, record, *others(record))
    run.steps(SLASHED_WITHIN)
    assert run.end() == OK


async def test_a_fork_that_goes_on_without_punishing(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The candidate was never included there."""
    chain, record = case
    spoil(monkeypatch, record)
    run = DoctoredRun(InvalidBackersSlashed, chain, dishonest=[backer(case)])
    dispute(run, record, *others(record))
    run.steps(SLASHED_WITHIN)
    assert run.end() == OK
    run.fork(2)
    run.steps(SLASHED_WITHIN + 1)
    assert "keeps its stake on the fork with block" in run.end()


async def test_stakes_and_rewards_that_are_right(case: Case) -> None:
    chain, record = case
    run = DoctoredRun(StakeConserved, chain)
    dispute(run, record, *others(record))
    issued = MODULES.balances.total_issuance.get(chain.state)
    run.steps(CONFIG.late_vote_period + 2)
    assert MODULES.balances.total_issuance.get(chain.state) > issued, "rewards are paid"
    assert run.checker.is_ok


async def test_a_reward_of_more_than_was_promised(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, record = case
    reward = MODULES.staking.reward
    monkeypatch.setattr(
        MODULES.staking, "reward", lambda store, who, amount: reward(store, who, 2 * amount)
    )
    run = DoctoredRun(StakeConserved, chain)
    dispute(run, record, *others(record))
    run.steps(CONFIG.late_vote_period + 2)
    assert f"{STAKE // 5} are issued anew, {STAKE} were taken" in run.checker.verdict


async def test_a_stake_that_nobody_has_set_aside(case: Case) -> None:
    chain, _ = case
    run = DoctoredRun(StakeConserved, chain)
    run.step(
        doctor=lambda store: MODULES.staking.ledger.put(
            store, account(NAMES[0]), Ledger(U128(STAKE + 1))
        )
    )
    assert f"at stake are {6 * STAKE + 1}, set aside {6 * STAKE}" in run.checker.verdict
