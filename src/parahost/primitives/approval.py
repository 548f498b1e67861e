"""Secondary checks of included candidates: who has to make one, and who has made it (D21, D22)."""

from __future__ import annotations

from typing import Annotated, NewType

from parahost.primitives.basic import (
    H256,
    H512,
    U32,
    CandidateHash,
    CoreIndex,
    SessionIndex,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.limits import MAX_VALIDATORS
from parahost.primitives.scale import MaxLen, variant
from parahost.primitives.values import dataclass

Tranche = NewType("Tranche", U32)
"""The checkers of a candidate join in tranches, one after another; also the unit of time in which
they do. Tranche 0 begins with the slot of the block that included the candidate."""

RelayVrfStory = NewType("RelayVrfStory", H256)
"""32 bytes that the VRF of an including block's author has drawn: what its checkers are drawn
from."""


@dataclass(frozen=True, slots=True)
class ApprovalParameters:
    """How checkers are drawn and how long they have; fixed within a session. ``needed_approvals``:
    how many checks a candidate needs; with 0 it is accepted when it is included."""

    needed_approvals: U32
    relay_vrf_modulo_samples: U32
    """How often each validator draws a core for tranche 0."""
    n_delay_tranches: U32
    """Over how many tranches the others are spread."""
    zeroth_delay_tranche_width: U32
    """How many of these fall together into tranche 0."""
    tranches_per_slot: U32
    no_show_slots: U32
    """So long may a check take; then others come to cover it."""

    @property
    def no_show(self) -> int:
        """The time that a check may take, in tranches."""
        return self.no_show_slots * self.tranches_per_slot


# Assignments


@variant(0)
@dataclass(frozen=True, slots=True)
class RelayVRFModulo:
    """Drawn into tranche 0: that sample fell on the candidate's core."""

    sample: U32


@variant(1)
@dataclass(frozen=True, slots=True)
class RelayVRFDelay:
    """Drawn for that core, with a delay."""

    core_index: CoreIndex


AssignmentCertKind = RelayVRFModulo | RelayVRFDelay


@dataclass(frozen=True, slots=True)
class AssignmentCert:
    """Proof of how a validator was drawn."""

    kind: AssignmentCertKind
    vrf_output: H256
    vrf_proof: H512


@dataclass(frozen=True, slots=True)
class Assignment:
    """A validator announces that it checks a candidate."""

    validator_index: ValidatorIndex
    cert: AssignmentCert


# Checks


@dataclass(frozen=True, slots=True)
class Approval:
    """A validator has checked a candidate, and found it valid. A check that finds it invalid is a
    vote in a dispute."""

    validator_index: ValidatorIndex
    signature: ValidatorSignature


@dataclass(frozen=True, slots=True)
class SecondaryChecks:
    """What one block brings on the checks of one candidate; each part ascends by validator."""

    session: SessionIndex
    candidate_hash: CandidateHash
    assignments: Annotated[tuple[Assignment, ...], MaxLen(MAX_VALIDATORS)]
    approvals: Annotated[tuple[Approval, ...], MaxLen(MAX_VALIDATORS)]


def approval_payload(
    candidate: CandidateHash, session: SessionIndex, *, valid: bool = True
) -> bytes:
    """What a checker signs of its verdict (D11)."""
    return b"APPR" + bytes([valid]) + candidate + session.to_bytes(4, "little")
