"""What the relay chain accepts of a candidate's outputs: one judgement for all who make it (D35).

The runtime refuses a block that holds a candidate with other outputs; Candidate Validation refuses
to vouch for one, and a collator to offer it, by the same function. So a group never backs what
nobody can include. The runtime says by which :class:`AcceptanceCriteria` it will judge
(``parahost.runtime.api.acceptance_criteria``).
"""

from __future__ import annotations

from typing import Final

from parahost.primitives.basic import U32, BlockNumber, ValidationCode
from parahost.primitives.candidates import CandidateCommitments
from parahost.primitives.compression import COMPRESSED_PREFIX
from parahost.primitives.values import dataclass

WASM_MAGIC: Final = b"\0asm"


@dataclass(frozen=True, slots=True)
class AcceptanceCriteria:
    """By what the outputs of a para's next candidate are judged, on one relay parent. Sizes are in
    bytes."""

    max_head_data_size: U32
    max_code_size: U32
    new_code_allowed_from: BlockNumber
    """The first relay parent whose candidates may announce new code (A45)."""
    relay_parent_number: BlockNumber


# Why outputs are refused


@dataclass(frozen=True, slots=True)
class HeadTooLarge:
    size: int
    limit: int

    def __str__(self) -> str:
        return f"the head has {self.size} bytes, at most {self.limit} are allowed"


@dataclass(frozen=True, slots=True)
class CodeTooLarge:
    size: int
    limit: int

    def __str__(self) -> str:
        return f"the validation code has {self.size} bytes, at most {self.limit} are allowed"


@dataclass(frozen=True, slots=True)
class NotWasm:
    """The code is empty, or begins neither as Wasm nor as compressed code (D32)."""

    start: bytes
    """Its first bytes, as many as Wasm's magic number has."""

    def __str__(self) -> str:
        found = f"it begins with {self.start.hex()}" if self.start else "it is empty"
        return f"the validation code is no Wasm: {found}"


@dataclass(frozen=True, slots=True)
class NewCodeTooSoon:
    """The new code would hold too soon after the last, or replace one that still waits (A45)."""

    relay_parent_number: BlockNumber
    allowed_from: BlockNumber

    def __str__(self) -> str:
        return (
            f"new code at relay parent {self.relay_parent_number} is too soon: "
            f"it is allowed from {self.allowed_from} on"
        )


@dataclass(frozen=True, slots=True)
class MessagesNotCarried:
    """It sends or processes messages, which chains do not exchange yet (D10)."""

    upward: int
    horizontal: int
    processed_downward: int

    def __str__(self) -> str:
        return (
            f"messages are not carried yet: it sends {self.upward} upwards and {self.horizontal} "
            f"to other chains, and has processed {self.processed_downward}"
        )


@dataclass(frozen=True, slots=True)
class WrongWatermark:
    """Without messages, a watermark can be nowhere but at the relay parent."""

    watermark: BlockNumber
    relay_parent_number: BlockNumber

    def __str__(self) -> str:
        return (
            f"hrmp_watermark is {self.watermark}, not {self.relay_parent_number}, "
            "the relay parent's number"
        )


UnfitCode = CodeTooLarge | NotWasm
"""Code that is good for no para."""

Refusal = UnfitCode | HeadTooLarge | NewCodeTooSoon | MessagesNotCarried | WrongWatermark


# The judgement


def refusal(commitments: CandidateCommitments, criteria: AcceptanceCriteria) -> Refusal | None:
    """Why the relay chain does not accept a candidate with these outputs; ``None`` when it does.

    Code is judged by size and first bytes. Whether it prepares will be a matter of votes that
    validators give on new code before it counts as announced; their outcome belongs here. Until
    then the upgrade's delay is the time in which they learn of the code.
    """
    return (
        unfit_head(len(commitments.head_data), criteria.max_head_data_size)
        or _refused_upgrade(commitments.new_validation_code, criteria)
        or _refused_messages(commitments, criteria.relay_parent_number)
    )


def unfit_head(size: int, limit: int) -> HeadTooLarge | None:
    """Why a head of so many bytes cannot be a para's."""
    return HeadTooLarge(size, limit) if size > limit else None


def unfit_code(code: ValidationCode, limit: int) -> UnfitCode | None:
    """Why a blob cannot be a para's code, as far as its size and first bytes tell."""
    if len(code) > limit:
        return CodeTooLarge(len(code), limit)
    if not code.startswith((WASM_MAGIC, COMPRESSED_PREFIX)):
        return NotWasm(code[: len(WASM_MAGIC)])
    return None


def _refused_upgrade(code: ValidationCode | None, criteria: AcceptanceCriteria) -> Refusal | None:
    if code is None:
        return None
    if criteria.relay_parent_number < criteria.new_code_allowed_from:
        return NewCodeTooSoon(criteria.relay_parent_number, criteria.new_code_allowed_from)
    return unfit_code(code, criteria.max_code_size)


def _refused_messages(
    commitments: CandidateCommitments, relay_parent_number: BlockNumber
) -> Refusal | None:
    counts = (
        len(commitments.upward_messages),
        len(commitments.horizontal_messages),
        commitments.processed_downward_messages,
    )
    if any(counts):
        return MessagesNotCarried(*counts)
    if commitments.hrmp_watermark != relay_parent_number:
        return WrongWatermark(commitments.hrmp_watermark, relay_parent_number)
    return None
