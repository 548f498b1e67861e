"""Adversaries of backing: what validators must not say of candidates (A77, D11).

A group whose majority they are backs what they like: that is for checks and disputes to answer, and
a scenario where it happens says so in ``without``. In any other group nothing of theirs is backed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

from parahost import erasure
from parahost.node.messages.availability import StoreAvailableData, Stored
from parahost.node.messages.backing import DistributePoV, Share
from parahost.node.messages.base import Message
from parahost.node.messages.utility import CandidateValid, ValidateCandidate
from parahost.node.node import Node
from parahost.primitives.basic import H256, U32, CandidateHash, Hash, HeadData
from parahost.primitives.candidates import CandidateCommitments, CommittedCandidateReceipt, PoV
from parahost.primitives.hashing import blake2_256
from parahost.primitives.statements import Seconded, Valid
from parahost.runtime import api
from parahost.simulation.adversaries.adversary import Adversary
from parahost.simulation.adversaries.insider import Insider
from parahost.simulation.build import Alteration, Build
from parahost.simulation.faults import World


@dataclass(frozen=True, kw_only=True)
class SecondsTwo(Adversary):
    """Seconds a rival beside each candidate that it seconds, and hands out its PoV.

    Everybody who hears both reports a ``DoubleVote`` with both statements, and counts nothing of
    its author at that relay parent any more (A77, A87, A109).
    """

    kind: ClassVar[str] = "seconds_two"

    def conspire(self, world: World) -> Alteration:
        def alter(build: Build) -> None:
            _TwoFaced(build)

        return alter


@dataclass(frozen=True, kw_only=True)
class ContradictsItself(Adversary):
    """Says ``Valid`` of what it has seconded.

    A ``SelfContradiction`` with both statements is reported, and its author counts for nothing at
    that relay parent any more (A77, A87, A109).
    """

    kind: ClassVar[str] = "contradicts_itself"

    def conspire(self, world: World) -> Alteration:
        def alter(build: Build) -> None:
            _Echo(build)

        return alter


@dataclass(frozen=True, kw_only=True)
class VouchesBlindly(Adversary):
    """Holds every candidate for valid without looking at it, and stores its data if they can be
    stored: with collators that make invalid blocks, an attack in concert.

    The honest of the group say ``Invalid``, the disagreement is reported with everybody's
    statements (A109), and without a majority nothing is backed (A76, D7).
    """

    kind: ClassVar[str] = "vouches_blindly"

    def conspire(self, world: World) -> Alteration:
        def alter(build: Build) -> None:
            _Blind(build)

        return alter


@dataclass(frozen=True, kw_only=True)
class SecondsWrongOutputs(Adversary):
    """Seconds candidates whose outputs are not what their function returns.

    Who executes them says ``Invalid`` (A74, D14); the disagreement is reported (A109).
    """

    kind: ClassVar[str] = "seconds_wrong_outputs"

    def conspire(self, world: World) -> Alteration:
        def alter(build: Build) -> None:
            _WrongOutputs(build)

        return alter


@dataclass(frozen=True, kw_only=True)
class SecondsWrongRoot(Adversary):
    """Seconds good candidates with the erasure root of other data. Each chunk of these has its
    right proof: only who encodes the real data sees the fraud.

    Backers encode before they vote, and say ``Invalid`` (A75); the disagreement is reported (A109).
    """

    kind: ClassVar[str] = "seconds_wrong_root"

    def conspire(self, world: World) -> Alteration:
        def alter(build: Build) -> None:
            _WrongRoot(build)

        return alter


class _Echo(Insider):
    def twist(self, node: Node, message: Message) -> Iterable[Message]:
        if not (isinstance(message, Share) and isinstance(message.statement.statement, Seconded)):
            return (message,)
        head, own = message.relay_parent, message.statement.validator_index
        again = Valid(message.statement.statement.candidate_hash())
        return (message, Share(head, self.state(node, head, again, own)))


class _Blind(Insider):
    def twist(self, node: Node, message: Message) -> Iterable[Message]:
        match message:
            case ValidateCandidate(validation_data=data):
                # Backing holds the promised outputs against nothing: any will do.
                outputs = CandidateCommitments(
                    (), (), None, HeadData(b""), U32(0), data.relay_parent_number
                )
                message.reply.answer(CandidateValid(outputs, data))
                return ()
            case StoreAvailableData():
                message.reply.answer(Stored.KEPT)
                return (replace(message),)  # a copy, whose answer nobody hears
        return (message,)


class _Forger(Insider):
    """Makes another candidate of what the node seconds, with the same PoV."""

    honest_too: ClassVar[bool] = False
    """Whether the node's own statement goes out as well."""

    def __init__(self, build: Build) -> None:
        super().__init__(build)
        self._povs: dict[CandidateHash, PoV] = {}

    def twist(self, node: Node, message: Message) -> Iterable[Message]:
        match message:
            case DistributePoV(_, candidate, _, pov):
                self._povs[candidate] = pov
            case Share(head, signed) if isinstance(signed.statement, Seconded):
                forged = self.forge(node, head, signed.statement.candidate)
                pov = self._povs[signed.statement.candidate_hash()]
                rival = self.state(node, head, Seconded(forged), signed.validator_index)
                para = forged.descriptor.para_id
                said = (DistributePoV(head, forged.hash(), para, pov), Share(head, rival))
                return (message, *said) if self.honest_too else said
        return (message,)

    def forge(
        self, node: Node, head: Hash, candidate: CommittedCandidateReceipt
    ) -> CommittedCandidateReceipt:
        """The forged candidate; here, one that promises another head."""
        wrong = HeadData(candidate.commitments.head_data[::-1])
        return replace(
            candidate,
            descriptor=replace(candidate.descriptor, para_head=blake2_256(wrong)),
            commitments=replace(candidate.commitments, head_data=wrong),
        )


class _WrongOutputs(_Forger):
    pass


class _TwoFaced(_Forger):
    honest_too = True


class _WrongRoot(_Forger):
    def forge(
        self, node: Node, head: Hash, candidate: CommittedCandidateReceipt
    ) -> CommittedCandidateReceipt:
        validators = len(api.validators(node.chain.state(head)))
        root = erasure.erasure_root(erasure.encode(b"other data", validators))
        descriptor = replace(candidate.descriptor, erasure_root=H256(root))
        return replace(candidate, descriptor=descriptor)
