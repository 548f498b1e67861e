"""Whether the bitfields that a block brings are right (A41, D8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from parahost.ports.verifier import Verifier
from parahost.primitives.availability import SignedAvailabilityBitfield
from parahost.primitives.basic import ValidatorId, ValidatorIndex
from parahost.primitives.statements import SigningContext
from parahost.runtime.parachains.admission import Admission
from parahost.runtime.parachains.inclusion_errors import (
    BadBitfieldSignature,
    BitfieldsOutOfOrder,
    DuplicateBitfield,
    ForkFrozen,
    TooManyBitfields,
    UnknownValidator,
    WrongBitfieldLength,
)


@dataclass(frozen=True, slots=True)
class BitfieldChecks:
    """The rules for bitfields on one state: of these validators, signed in this context, with a bit
    for each of so many cores."""

    verifier: Verifier
    validators: Sequence[ValidatorId]
    context: SigningContext
    cores: int
    is_frozen: bool

    def checked(
        self, bitfields: Sequence[SignedAvailabilityBitfield], admission: Admission
    ) -> tuple[SignedAvailabilityBitfield, ...]:
        """Those that are taken. Count, order, duplicates; then each on its own.

        :raises InvalidBlock: when the block is to be refused for one.
        """
        taken: list[SignedAvailabilityBitfield] = []

        def judge(signed: SignedAvailabilityBitfield) -> SignedAvailabilityBitfield:
            if self.is_frozen:
                raise ForkFrozen
            if len(taken) >= len(self.validators):
                raise TooManyBitfields(len(bitfields), len(self.validators))
            if taken:
                _check_order(taken[-1].validator_index, signed.validator_index)
            self._check(signed)
            return signed

        for signed in bitfields:
            admitted = admission.admit(signed, partial(judge, signed))
            if admitted is not None:
                taken.append(admitted)
        return tuple(taken)

    def _check(self, signed: SignedAvailabilityBitfield) -> None:
        """Length, validator, signature."""
        validator, validators = signed.validator_index, self.validators
        if len(signed.bitfield) != self.cores:
            raise WrongBitfieldLength(validator, len(signed.bitfield), self.cores)
        if validator >= len(validators):
            raise UnknownValidator(validator, len(validators))
        payload = signed.payload(self.context)
        if not self.verifier.sr25519(validators[validator], payload, signed.signature):
            raise BadBitfieldSignature(validator)


def _check_order(previous: ValidatorIndex, validator: ValidatorIndex) -> None:
    if validator == previous:
        raise DuplicateBitfield(validator)
    if validator < previous:
        raise BitfieldsOutOfOrder(validator, previous)
