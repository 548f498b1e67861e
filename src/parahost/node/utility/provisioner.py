"""The Provisioner: what a block author finds ready (A103, A104, D15).

It collects signed bitfields and backable candidates per relay parent, and misbehaviour; and it
asks for the checks of included candidates, and for the votes in disputes that this fork lacks
(D25). What it hands out is what the runtime of that parent accepts; when in doubt it is nothing,
and the block is a block all the same. A candidate that is found invalid, or may be, stays out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from parahost.node.leaf import ActiveLeaf
from parahost.node.messages.base import Message, Request, Unanswered
from parahost.node.messages.signals import OverseerSignal, StartWork, StopWork
from parahost.node.messages.utility import (
    BlockAuthorshipData,
    ProvisionBackable,
    ProvisionBitfield,
    ProvisionMisbehavior,
    RequestBlockAuthorshipData,
)
from parahost.node.messages.validity import (
    BarredCandidates,
    ChainDisputes,
    ChecksForChain,
    DisputesForChain,
)
from parahost.node.overseer import Subsystem
from parahost.node.utility.evidence import weight_of
from parahost.primitives.availability import SignedAvailabilityBitfield
from parahost.primitives.basic import CandidateHash, Hash, ParaId, ValidatorIndex
from parahost.primitives.inherent import ParachainsInherentData
from parahost.primitives.misbehavior import MisbehaviorReport
from parahost.primitives.runtime_api import OccupiedCore
from parahost.primitives.statements import BackedCandidate
from parahost.runtime.parachains.sanitize import Sanitized
from parahost.runtime.parachains.validity import NoteChecks
from parahost.runtime.storage import State

T = TypeVar("T")

Sanitize = Callable[[State, ParachainsInherentData, NoteChecks], Sanitized]
"""What of an inherent and of checks the runtime of a child of the state's block accepts."""

MAX_BACKABLE_PER_PARA = 8
"""Candidates kept for one para; the first one that the runtime accepts is used."""
MAX_MISBEHAVIOR = 64
"""Reports of one weight that are handed out at a time: the newest."""


@dataclass(slots=True)
class ProvisioningJob:
    """What was collected for children of one relay parent."""

    leaf: ActiveLeaf
    bitfields: dict[ValidatorIndex, SignedAvailabilityBitfield] = field(default_factory=dict)
    backable: dict[ParaId, dict[CandidateHash, BackedCandidate]] = field(default_factory=dict)

    def add_bitfield(self, signed: SignedAvailabilityBitfield) -> None:
        """The fullest of each validator stays."""
        held = self.bitfields.get(signed.validator_index)
        if held is None or signed.bitfield.count() > held.bitfield.count():
            self.bitfields[signed.validator_index] = signed

    def add_backable(self, backed: BackedCandidate) -> None:
        """In order of arrival; of the same candidate, the backing with the most votes stays."""
        of_para = self.backable.setdefault(backed.candidate.descriptor.para_id, {})
        candidate = backed.candidate.hash()
        held = of_para.get(candidate)
        if held is None:
            if len(of_para) < MAX_BACKABLE_PER_PARA:
                of_para[candidate] = backed
        elif len(backed.validity_votes) > len(held.validity_votes):
            of_para[candidate] = backed

    def all_bitfields(self) -> tuple[SignedAvailabilityBitfield, ...]:
        """Ascending by validator."""
        return tuple(self.bitfields[index] for index in sorted(self.bitfields))

    def all_backable(self) -> tuple[BackedCandidate, ...]:
        return tuple(
            backed for para in sorted(self.backable) for backed in self.backable[para].values()
        )


class Provisioner(Subsystem):
    """One job per relay parent that may be built upon."""

    name = "provisioner"
    receives = (
        ProvisionBitfield,
        ProvisionBackable,
        ProvisionMisbehavior,
        RequestBlockAuthorshipData,
    )

    sends = (ChecksForChain, DisputesForChain, BarredCandidates)

    def __init__(self, sanitize: Sanitize) -> None:
        self._sanitize = sanitize
        self._jobs: dict[Hash, ProvisioningJob] = {}
        self._misbehavior: dict[int, deque[MisbehaviorReport]] = {}
        """By weight, so that what weighs little crowds out nothing else."""

    def on_signal(self, signal: OverseerSignal) -> None:
        match signal:
            case StartWork(leaf):
                self._jobs[leaf.hash] = ProvisioningJob(leaf)
            case StopWork(relay_parent):
                self._jobs.pop(relay_parent, None)

    def on_message(self, message: Message) -> None:
        match message:
            case ProvisionBitfield(relay_parent, signed):
                if relay_parent in self._jobs:
                    self._jobs[relay_parent].add_bitfield(signed)
            case ProvisionBackable(relay_parent, backed):
                if relay_parent in self._jobs:
                    self._jobs[relay_parent].add_backable(backed)
            case ProvisionMisbehavior(report):
                newest = deque[MisbehaviorReport](maxlen=MAX_MISBEHAVIOR)
                self._misbehavior.setdefault(weight_of(report), newest).append(report)
            case RequestBlockAuthorshipData():
                self._provide(message)

    def _provide(self, request: RequestBlockAuthorshipData) -> None:
        job = self._jobs.get(request.relay_parent)
        if job is None:
            request.reply.drop()
            return

        async def provide() -> None:
            found = await self._collect(job)
            request.reply.answer(BlockAuthorshipData(found.inherent, found.checks, self._reports()))

        self.ctx.spawn(None, provide, "provide inherent")

    def _reports(self) -> tuple[MisbehaviorReport, ...]:
        """What weighs most comes first."""
        weights = sorted(self._misbehavior, reverse=True)
        return tuple(report for weight in weights for report in self._misbehavior[weight])

    async def _collect(self, job: ProvisioningJob) -> Sanitized:
        leaf = job.leaf
        disputes = await self._known(DisputesForChain(leaf.hash), ChainDisputes())
        checks = NoteChecks(await self._known(ChecksForChain(leaf.hash), ()), disputes.availability)
        collected = ParachainsInherentData(
            await self._without_barred(leaf, job.all_bitfields()),
            await self._not_barred(job.all_backable()),
            disputes.disputes,
            leaf.header,
        )
        sanitized = await self.ctx.executor.run(
            lambda: self._sanitize(leaf.state, collected, checks)
        )
        for backed in sanitized.inherent.backed_candidates:
            self._record("provisioner.provided", backed)
        for each in sanitized.dropped:
            self._record("provisioner.dropped", each.backed, reason=each.reason)
        return sanitized

    async def _without_barred(
        self, leaf: ActiveLeaf, bitfields: tuple[SignedAvailabilityBitfield, ...]
    ) -> tuple[SignedAvailabilityBitfield, ...]:
        """Those that do not help to include what nobody should build on: the block would be left
        at once. What is pending was not available before, so without them it is not now."""
        pending = {
            index: core.candidate_hash
            for index, core in enumerate(leaf.cores)
            if isinstance(core, OccupiedCore)
        }
        barred = await self._known(BarredCandidates(tuple(pending.values())), frozenset())
        cores = [core for core, candidate in pending.items() if candidate in barred]
        return tuple(
            signed
            for signed in bitfields
            if not any(core < len(signed.bitfield) and signed.bitfield[core] for core in cores)
        )

    async def _not_barred(
        self, candidates: tuple[BackedCandidate, ...]
    ) -> tuple[BackedCandidate, ...]:
        """Those that nobody has found invalid, on any fork."""
        hashes = tuple(backed.candidate.hash() for backed in candidates)
        barred = await self._known(BarredCandidates(hashes), frozenset())
        for backed, candidate in zip(candidates, hashes, strict=True):
            if candidate in barred:
                self._record("provisioner.dropped", backed, reason="it is disputed")
        return tuple(
            backed
            for backed, candidate in zip(candidates, hashes, strict=True)
            if candidate not in barred
        )

    async def _known(self, request: Request[T], otherwise: T) -> T:
        try:
            return await self.ctx.ask(request)
        except Unanswered:  # the next block came in between
            return otherwise

    def _record(self, event: str, backed: BackedCandidate, **fields: object) -> None:
        self.ctx.journal.record(
            event,
            relay_parent=backed.candidate.descriptor.relay_parent,
            candidate=backed.candidate.hash(),
            para=backed.candidate.descriptor.para_id,
            **fields,
        )
