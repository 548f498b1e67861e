"""The checkers of the parachains' protocols notice planted faults."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from parahost.node.messages.availability import (
    DistributeBitfield,
    StoreAvailableData,
    StoreChunk,
    Stored,
    WaitChunks,
)
from parahost.node.messages.base import Message
from parahost.node.messages.utility import ProvisionBackable
from parahost.node.node import Node
from parahost.ports import ExecutionKind, ExecutionOutcome, KeyType, Returned, ValidationHost
from parahost.ports.collator import BuildContext, ParachainBlock
from parahost.primitives.basic import HeadData, ValidationCode
from parahost.primitives.candidates import ValidationResult
from parahost.primitives.scale import BitVec, decode, encode
from parahost.runtime.parachains import inclusion, scheduler
from parahost.runtime.parachains.candidate_checks import CandidateChecks
from parahost.runtime.parachains.parathreads import ParathreadEntry
from parahost.simulation import (
    BacksWrongData,
    CensoringAuthor,
    EquivocatingAuthor,
    Scenario,
    Shape,
    Simulation,
)
from parahost.simulation.build import Build
from parahost.simulation.checkers import reading
from parahost.simulation.checkers.parathreads import ClaimsGetTheirTries
from tests.simulation.checkers.planted import SMALL, bitten, intercepting, run_with, secretly


def test_backing_without_a_majority(monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime that does not count votes, and authors that bring only one."""

    def check(self: CandidateChecks, *args: object, **kwargs: object) -> tuple[int, ...]:
        return (0,)

    def strip(sender: str, message: Message) -> Iterable[Message]:
        if isinstance(message, ProvisionBackable):
            backed = message.candidate
            one = BitVec.with_ones(
                len(backed.validator_indices), backed.validator_indices.ones()[:1]
            )
            message.candidate = replace(
                backed, validity_votes=backed.validity_votes[:1], validator_indices=one
            )
        return (message,)

    monkeypatch.setattr(CandidateChecks, "_check_backing", check)
    outcome = run_with(intercepting(strip))
    assert "para 2000: 1 votes of a group of 4" in bitten(outcome, "backed_by_its_group")


def test_inclusion_without_the_votes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime for which one vote is enough, in a network where only one votes."""
    monkeypatch.setattr(inclusion, "availability_threshold", lambda validators: 1)

    def silence(sender: str, message: Message) -> Iterable[Message]:
        return () if isinstance(message, DistributeBitfield) else (message,)

    outcome = run_with(intercepting(silence), who=("validator-1", "validator-2", "validator-3"))
    assert "without two thirds of the votes" in bitten(outcome, "included_by_two_thirds")


def test_a_pending_candidate_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime for which everything is timed out at once."""
    monkeypatch.setattr(
        scheduler.Scheduler,
        "availability_timeout_predicate",
        lambda self, store: lambda core, since: True,
    )

    def silence(sender: str, message: Message) -> Iterable[Message]:
        return () if isinstance(message, DistributeBitfield) else (message,)

    outcome = run_with(intercepting(silence))
    assert "pending" in bitten(outcome, "one_pending_per_para")


def test_availability_that_is_only_claimed() -> None:
    """Validators that throw everything away and claim to have it."""

    def lie(sender: str, message: Message) -> Iterable[Message]:
        match message:
            case WaitChunks():
                message.reply.answer(message.candidates)
            case StoreChunk():
                message.reply.answer(True)
            case StoreAvailableData():
                message.reply.answer(Stored.KEPT)
            case _:
                return (message,)
        return ()

    outcome = run_with(intercepting(lie))
    assert "included, not recoverable" in bitten(outcome, "recoverable_and_valid")


class LyingHost:
    """Says of whatever it executes that it has another head."""

    def __init__(self, host: ValidationHost) -> None:
        self._host = host

    async def execute(
        self, code: ValidationCode, params: bytes, kind: ExecutionKind
    ) -> ExecutionOutcome:
        outcome = await self._host.execute(code, params, kind)
        if isinstance(outcome, Returned):
            result: ValidationResult = decode(ValidationResult, outcome.result)
            wrong = replace(result, head_data=HeadData(result.head_data + b"!"))
            return replace(outcome, result=encode(wrong))
        return outcome


class LyingCollator:
    """Puts such a head forward."""

    def __init__(self, build: Build) -> None:
        assert build.collator is not None
        self._collator = build.collator

    def __getattr__(self, name: str) -> object:
        return getattr(self._collator, name)

    async def build(self, parent_head: HeadData, context: BuildContext) -> ParachainBlock | None:
        block = await self._collator.build(parent_head, context)
        return None if block is None else replace(block, head=HeadData(block.head + b"!"))


def test_an_invalid_candidate() -> None:
    """Collator and validators agree on a head that the function does not return."""

    def mutate(build: Build) -> None:
        if build.collator is not None:
            build.collator = LyingCollator(build)  # type: ignore[assignment]
        build.with_ports(validation_host=LyingHost(build.ports.validation_host))

    simulation = Simulation(Scenario(shape=SMALL, blocks=4), 1)
    for node in simulation.nodes.values():
        node.alterations.append(mutate)
    verdict = bitten(simulation.run(), "recoverable_and_valid")
    assert "returns something else than it commits to" in verdict


def test_heads_stand_still() -> None:
    """All authors censor, and none is known to."""
    names = [f"validator-{number}" for number in range(1, 5)]
    outcome = secretly(
        CensoringAuthor(who=tuple(names)), names, Scenario(shape=SMALL, blocks=15), seed=1
    )
    assert "para 2000 has not moved" in bitten(outcome, "heads_move")


def test_a_disabled_half_of_a_group_excuses_the_para() -> None:
    """Found by the hunt's seed 87: the author that made two blocks for its slot is disabled, and
    its group of two has no majority until the groups rotate."""
    equivocating = EquivocatingAuthor(who=("validator-2",))
    scenario = Scenario(shape=Shape(epoch_slots=9), blocks=17, adversaries=(equivocating,))
    simulation = Simulation(scenario, 87)
    outcome = simulation.run()
    best = simulation.record.best().ancestry()
    still = [block for block in best if 1 in reading.disabled(block.state)]
    assert len(still) > 12
    assert outcome.ok, outcome.verdicts


def test_the_head_of_a_parathread_stands_still() -> None:
    outcome = run_with(intercepting(_censored), scenario=replace(THREADS, blocks=27))
    assert "para 2000 has not moved for 25 blocks" in bitten(outcome, "heads_move")


THREADS = Scenario(shape=Shape(validators=4, parachains=0, parathreads=1), blocks=7)


def test_claims_that_are_dropped_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime that counts each try for a hundred; nobody brings the candidates."""
    monkeypatch.setattr(
        ParathreadEntry, "retried", lambda self: replace(self, retries=self.retries + 100)
    )
    outcome = run_with(intercepting(_censored), scenario=THREADS)
    assert "parathread 2000 lost its claim at 1 of 3" in bitten(outcome, "claims_get_their_tries")


def test_claims_that_are_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime that does not count tries."""
    monkeypatch.setattr(ParathreadEntry, "retried", lambda self: self)
    outcome = run_with(intercepting(_censored), scenario=THREADS)
    assert "was tried 0 times, not 1" in bitten(outcome, "claims_get_their_tries")


def _censored(sender: str, message: Message) -> Iterable[Message]:
    return () if isinstance(message, ProvisionBackable) else (message,)


def test_queues_that_get_long() -> None:
    def multiply(sender: str, message: Message) -> Iterable[Message]:
        return (message,) * (5000 if isinstance(message, DistributeBitfield) else 1)

    outcome = run_with(
        intercepting(multiply), who=("validator-1",), scenario=Scenario(shape=SMALL, blocks=1)
    )
    assert "messages waited for bitfield-distribution" in bitten(outcome, "bounded_queues")


def test_contradicting_statements() -> None:
    """A validator that says of what it seconded that it is valid, and that it is not."""

    def mutate(build: Build) -> None:
        (public,) = build.keys.public_keys(KeyType.PARACHAIN)

        async def contradict(node: Node) -> None:
            for tag in (b"\x01", b"\x02"):
                payload = b"BKNG" + tag + b"\x05" * 32 + bytes(4) + b"\x06" * 32
                build.ports.keystore.sign(KeyType.PARACHAIN, public, payload, [])

        build.jobs.append(contradict)

    outcome = run_with(mutate, who=("validator-1",), scenario=Scenario(shape=SMALL, blocks=1))
    assert "says Seconded and Valid" in bitten(outcome, "no_contradiction")


def test_a_vote_against_what_was_seconded() -> None:
    """A validator that seconds a candidate and then disputes it."""

    def mutate(build: Build) -> None:
        (public,) = build.keys.public_keys(KeyType.PARACHAIN)

        async def contradict(node: Node) -> None:
            for payload in (
                b"BKNG\x01" + b"\x05" * 32 + bytes(4) + b"\x06" * 32,
                b"APPR\x00" + b"\x05" * 32 + bytes(4),
            ):
                build.ports.keystore.sign(KeyType.PARACHAIN, public, payload, [])

        build.jobs.append(contradict)

    outcome = run_with(mutate, who=("validator-1",), scenario=Scenario(shape=SMALL, blocks=1))
    assert "two verdicts on one candidate" in bitten(outcome, "no_contradiction")


def test_inclusion_by_a_majority_of_votes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime that includes with every second validator's vote. By the votes, what it backs next
    comes too early, and when that has all its votes, no checker is at a loss for words."""
    monkeypatch.setattr(inclusion, "availability_threshold", lambda validators: validators // 2 + 1)
    silent = {f"validator-{number}" for number in range(1, 5)}

    def late(build: Build) -> None:
        left = {build.plan.name: 2}

        def silence(sender: str, message: Message) -> Iterable[Message]:
            if not isinstance(message, DistributeBitfield) or not left[build.plan.name]:
                return (message,)
            left[build.plan.name] -= 1
            return ()

        intercepting(silence)(build)

    scenario = Scenario(shape=Shape(validators=10, parachains=1), blocks=6)
    outcome = run_with(late, who=sorted(silent), scenario=scenario)
    assert ": 6, where 7 are needed" in bitten(outcome, "included_by_two_thirds")
    assert "second candidate while one is pending" in bitten(outcome, "one_pending_per_para")
    found = bitten(outcome, "recoverable_and_valid")
    assert "it was backed while another candidate of its para was pending" in found


def test_a_core_that_a_dispute_frees_is_the_next_claims_at_once() -> None:
    """In the block that says so: no checker is surprised that the next claim has its turn (A52)."""
    scenario = Scenario(
        shape=Shape(validators=5, parathreads=2),
        blocks=5,
        adversaries=(BacksWrongData(who=("validator-1",)),),
    )
    outcome = Simulation(scenario, 104, checks=(ClaimsGetTheirTries,)).run()
    assert outcome.ok, outcome.verdicts
    assert outcome.statistics["disputes"]["invalid"] == 1
