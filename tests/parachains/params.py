"""SCALE of what goes into a validation function, and of what comes out."""

from parahost.ports.validation import ExecutionOutcome, Returned
from parahost.primitives import scale

RELAY_PARENT_NUMBER = 77


def validation_params(parent_head: bytes, block_data: bytes) -> bytes:
    number = RELAY_PARENT_NUMBER.to_bytes(4, "little")
    return scale.encode(parent_head) + scale.encode(block_data) + number + bytes(32)


def head_of(outcome: ExecutionOutcome) -> bytes:
    """The new head of a ``ValidationResult`` that has nothing else."""
    assert isinstance(outcome, Returned), outcome
    head: bytes
    head, length = scale.decode_prefix(bytes, outcome.result)
    assert outcome.result[length:] == bytes(7) + RELAY_PARENT_NUMBER.to_bytes(4, "little")
    return head
