"""Whether a backed candidate may go on its core (A44-A46, A80, D10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from parahost.ports.verifier import Verifier
from parahost.primitives.acceptance import refusal
from parahost.primitives.availability import is_backing_majority
from parahost.primitives.basic import (
    H256,
    BlockNumber,
    CandidateHash,
    Hash,
    ParaId,
    ValidatorId,
    ValidatorIndex,
)
from parahost.primitives.hashing import blake2_256
from parahost.primitives.statements import (
    BackedCandidate,
    Implicit,
    Seconded,
    SigningContext,
    Valid,
    statement_payload,
)
from parahost.runtime.parachains.inclusion_errors import (
    BadBackingSignature,
    BadCollatorSignature,
    DisallowedRelayParent,
    InvalidBacking,
    NoValidationCode,
    UnacceptableOutputs,
    UnscheduledCandidate,
    WrongCollator,
    WrongHash,
)
from parahost.runtime.parachains.paras import Paras, validation_code_hash
from parahost.runtime.parachains.scheduler import CoreAssignment, Scheduler
from parahost.runtime.storage import Reader


@dataclass(frozen=True, slots=True)
class RelayParent:
    """A relay chain block in whose context candidates may be made."""

    hash: Hash
    number: BlockNumber
    storage_root: H256


class CandidateChecks:
    """The rules for one candidate on its own; each raises its ``InvalidCandidate``."""

    def __init__(
        self,
        paras: Paras,
        scheduler: Scheduler,
        verifier: Verifier,
    ) -> None:
        self.paras = paras
        self.scheduler = scheduler
        self.verifier = verifier

    def check(
        self,
        store: Reader,
        backed: BackedCandidate,
        candidate_hash: CandidateHash,
        assignment: CoreAssignment,
        *,
        relay_parent: RelayParent,
        context: SigningContext,
        validators: Sequence[ValidatorId],
    ) -> tuple[ValidatorIndex, ...]:
        """All rules, the cheap ones first; gives the validators that back the candidate.

        :raises InvalidCandidate: when one is broken.
        """
        self._check_context(backed, candidate_hash, assignment, relay_parent)
        self._check_hashes(store, backed, candidate_hash, relay_parent)
        self._check_commitments(store, backed, candidate_hash, relay_parent)
        self._check_collator(backed, candidate_hash)
        return self._check_backing(
            store, backed, candidate_hash, assignment, context=context, validators=validators
        )

    def _check_context(
        self,
        backed: BackedCandidate,
        candidate_hash: CandidateHash,
        assignment: CoreAssignment,
        relay_parent: RelayParent,
    ) -> None:
        """The para, the relay parent (A80), and whose claim it is (D17)."""
        descriptor = backed.candidate.descriptor
        para = descriptor.para_id
        if para != assignment.para_id:
            raise UnscheduledCandidate(
                para, candidate_hash, f"core {assignment.core} is for para {assignment.para_id}"
            )
        if descriptor.relay_parent != relay_parent.hash:
            raise DisallowedRelayParent(
                para, candidate_hash, descriptor.relay_parent, relay_parent.hash
            )
        if assignment.collator not in (None, descriptor.collator):
            raise WrongCollator(para, candidate_hash, f"the claim is {assignment.collator.hex()}'s")

    def _check_hashes(
        self,
        store: Reader,
        backed: BackedCandidate,
        candidate_hash: CandidateHash,
        relay_parent: RelayParent,
    ) -> None:
        """Validation data, code, and the head that the descriptor names."""
        descriptor = backed.candidate.descriptor
        para = descriptor.para_id
        code = self.paras.validation_code_at(store, para, relay_parent.number)
        data = self.paras.persisted_validation_data(
            store, para, relay_parent.number, relay_parent.storage_root
        )
        if code is None or data is None:
            raise NoValidationCode(para, candidate_hash, "its para has no head or no code")
        expected = {
            "persisted_validation_data_hash": data.hash(),
            "validation_code_hash": validation_code_hash(code),
            "para_head": blake2_256(backed.candidate.commitments.head_data),
        }
        for field, hash_ in expected.items():
            given = getattr(descriptor, field)
            if given != hash_:
                raise WrongHash(para, candidate_hash, field, given, hash_)

    def _check_commitments(
        self,
        store: Reader,
        backed: BackedCandidate,
        candidate_hash: CandidateHash,
        relay_parent: RelayParent,
    ) -> None:
        """What the group should have refused to vouch for (D35)."""
        para = backed.candidate.descriptor.para_id
        criteria = self.paras.acceptance_criteria(store, para, relay_parent.number)
        reason = refusal(backed.candidate.commitments, criteria)
        if reason is not None:
            raise UnacceptableOutputs(para, candidate_hash, reason)

    def _check_collator(self, backed: BackedCandidate, candidate_hash: CandidateHash) -> None:
        descriptor = backed.candidate.descriptor
        payload = descriptor.signature_payload()
        if not self.verifier.sr25519(descriptor.collator, payload, descriptor.signature):
            raise BadCollatorSignature(
                descriptor.para_id, candidate_hash, f"not signed by {descriptor.collator.hex()}"
            )

    def _check_backing(
        self,
        store: Reader,
        backed: BackedCandidate,
        candidate_hash: CandidateHash,
        assignment: CoreAssignment,
        *,
        context: SigningContext,
        validators: Sequence[ValidatorId],
    ) -> tuple[ValidatorIndex, ...]:
        """More than half of the group, each vote signed by its member (A46)."""
        para: ParaId = assignment.para_id
        group = self.scheduler.group_validators(store, assignment.group_idx) or ()
        votes, bits = backed.validity_votes, backed.validator_indices
        if len(bits) != len(group) or bits.count() != len(votes):
            raise InvalidBacking(
                para,
                candidate_hash,
                f"{len(bits)} bits, {bits.count()} set, and {len(votes)} votes for a group of "
                f"{len(group)}",
            )
        if not is_backing_majority(len(votes), len(group)):
            raise InvalidBacking(
                para, candidate_hash, f"{len(votes)} votes are no majority of {len(group)}"
            )
        seconded = statement_payload(Seconded, candidate_hash, context)
        valid = statement_payload(Valid, candidate_hash, context)
        backers = tuple(group[position] for position in bits.ones())
        for validator, vote in zip(backers, votes, strict=True):
            payload = seconded if isinstance(vote, Implicit) else valid
            if not self.verifier.sr25519(validators[validator], payload, vote.signature):
                raise BadBackingSignature(para, candidate_hash, validator)
        return backers
