"""Why the parachains' part of a block is refused: each of these makes the block invalid (A50)."""

from __future__ import annotations

from parahost.primitives.acceptance import Refusal
from parahost.primitives.basic import (
    CandidateHash,
    CoreIndex,
    Hash,
    ParaId,
    ValidatorIndex,
)
from parahost.runtime.errors import InvalidBlock

# The inherent


class InclusionMissing(InvalidBlock):
    """The block ends without the ``inclusion`` inherent (A51)."""

    def __init__(self) -> None:
        super().__init__("the block ends without the inclusion inherent, which is mandatory")


class InclusionRepeated(InvalidBlock):
    """The ``inclusion`` inherent is there a second time (A52)."""

    def __init__(self) -> None:
        super().__init__("the block has the inclusion inherent more than once")


class WrongParentHeader(InvalidBlock):
    """The header in the inherent is not the parent's."""

    def __init__(self, parent: Hash, given: Hash) -> None:
        super().__init__(f"the inherent brings the header of {given.hex()}, not {parent.hex()}")
        self.parent = parent
        self.given = given


class ForkFrozen(InvalidBlock):
    """This fork has included an invalid candidate: it includes none any more."""

    def __init__(self) -> None:
        super().__init__("this fork has included an invalid candidate, and includes none any more")


# Bitfields


class InvalidBitfield(InvalidBlock):
    """A bitfield, or the list of them, breaks a rule (A41)."""

    def __init__(self, validator: ValidatorIndex, what: str) -> None:
        super().__init__(f"bitfield of validator {validator}: {what}")
        self.validator = validator


class TooManyBitfields(InvalidBlock):
    def __init__(self, count: int, validators: int) -> None:
        super().__init__(f"{count} bitfields from {validators} validators")
        self.count = count
        self.validators = validators


class WrongBitfieldLength(InvalidBitfield):
    def __init__(self, validator: ValidatorIndex, length: int, cores: int) -> None:
        super().__init__(validator, f"{length} bits for {cores} cores")
        self.length = length
        self.cores = cores


class UnknownValidator(InvalidBitfield):
    def __init__(self, validator: ValidatorIndex, validators: int) -> None:
        super().__init__(validator, f"the session has {validators} validators")
        self.validators = validators


class DuplicateBitfield(InvalidBitfield):
    def __init__(self, validator: ValidatorIndex) -> None:
        super().__init__(validator, "there are two")


class BitfieldsOutOfOrder(InvalidBitfield):
    def __init__(self, validator: ValidatorIndex, previous: ValidatorIndex) -> None:
        super().__init__(validator, f"it comes after that of validator {previous}")
        self.previous = previous


class BadBitfieldSignature(InvalidBitfield):
    def __init__(self, validator: ValidatorIndex) -> None:
        super().__init__(validator, "the signature is not its validator's for this parent")


# Candidates


class InvalidCandidate(InvalidBlock):
    """A backed candidate breaks a rule (A44-A46). ``candidate`` is its hash."""

    def __init__(self, para: ParaId, candidate: CandidateHash, what: str) -> None:
        super().__init__(f"candidate {candidate.hex()} of para {para}: {what}")
        self.para = para
        self.candidate = candidate


class UnscheduledCandidate(InvalidCandidate):
    """No core is scheduled for its para."""


class CandidatesOutOfOrder(InvalidCandidate):
    """Its core is not after that of the candidate before it (D9)."""

    def __init__(
        self, para: ParaId, candidate: CandidateHash, core: CoreIndex, previous: CoreIndex
    ) -> None:
        super().__init__(para, candidate, f"core {core} comes after core {previous}")
        self.core = core
        self.previous = previous


class AlreadyPending(InvalidCandidate):
    """Another candidate of the para awaits availability (A116)."""


class DisallowedRelayParent(InvalidCandidate):
    """It was made on another relay parent than the block's parent (A80)."""

    def __init__(
        self, para: ParaId, candidate: CandidateHash, relay_parent: Hash, parent: Hash
    ) -> None:
        super().__init__(
            para, candidate, f"its relay parent is {relay_parent.hex()}, not {parent.hex()}"
        )
        self.relay_parent = relay_parent
        self.parent = parent


class WrongCollator(InvalidCandidate):
    """It is not of the collator who owns the parathread's claim (D17)."""


class WrongHash(InvalidCandidate):
    """A hash in the descriptor is not the one it should be; ``field`` names it."""

    def __init__(
        self, para: ParaId, candidate: CandidateHash, field: str, given: bytes, expected: bytes
    ) -> None:
        super().__init__(para, candidate, f"{field} is {given.hex()}, not {expected.hex()}")
        self.field = field
        self.given = given
        self.expected = expected


class NoValidationCode(InvalidCandidate):
    """The relay chain has no code to validate it with."""


class UnacceptableOutputs(InvalidCandidate):
    """Its commitments are none that the relay chain accepts (A45, D10, D35)."""

    def __init__(self, para: ParaId, candidate: CandidateHash, reason: Refusal) -> None:
        super().__init__(para, candidate, str(reason))
        self.reason = reason


class BadCollatorSignature(InvalidCandidate):
    """The signature in the descriptor is not its collator's."""


class InvalidBacking(InvalidCandidate):
    """The votes do not fit the group: number of bits, number of votes, or no majority (A46)."""


class BadBackingSignature(InvalidCandidate):
    """A vote is not signed by the group's member that it is said to be of (A46)."""

    def __init__(self, para: ParaId, candidate: CandidateHash, validator: ValidatorIndex) -> None:
        super().__init__(para, candidate, f"the vote of validator {validator} is not its own")
        self.validator = validator


class TooManyUnaccepted(InvalidCandidate):
    """So many candidates wait for acceptance that no more are backed."""


class InvalidatedCandidate(InvalidCandidate):
    """A dispute has found it invalid."""


class DisabledBacker(InvalidCandidate):
    """A vote is of a validator that may not take part."""

    def __init__(self, para: ParaId, candidate: CandidateHash, validator: ValidatorIndex) -> None:
        super().__init__(para, candidate, f"validator {validator} may not take part")
        self.validator = validator
