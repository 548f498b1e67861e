import hashlib

import pytest

from parahost.crypto.hashing import keccak_256
from parahost.parachains.code import example_code
from parahost.ports.validation import ExecutionKind, ExecutionOutcome, Failed, Returned
from parahost.primitives import scale
from parahost.validation import InProcessHost
from tests.parachains.params import head_of, validation_params

HOST = InProcessHost()
GENESIS = bytes(72)


def digest(payload: bytes) -> bytes:
    return hashlib.blake2b(payload, digest_size=32).digest()


def block(payload: bytes, iterations: int = 0, claimed: bytes | None = None) -> bytes:
    claimed = digest(payload) if claimed is None else claimed
    return iterations.to_bytes(8, "little") + claimed + scale.encode(payload)


def run(block_data: bytes, parent: bytes = GENESIS) -> ExecutionOutcome:
    params = validation_params(parent, block_data)
    return HOST.run(example_code("load"), params, ExecutionKind.BACKING)


@pytest.mark.parametrize("size", [0, 1, 63, 64, 16383, 16384, 10_000_000])
def test_the_head_says_what_was_in_the_block(size: int) -> None:
    payload = bytes(range(251)) * (size // 251) + bytes(size % 251)
    parent = (41).to_bytes(8, "little") + bytes(64)
    outcome = run(block(payload), parent)
    expected = (42).to_bytes(8, "little") + keccak_256(parent) + digest(payload)
    assert head_of(outcome) == expected


def test_ten_megabytes_cost_a_small_part_of_the_time_for_backing() -> None:
    outcome = run(block(bytes(10_000_000)))
    assert isinstance(outcome, Returned)
    assert outcome.execute_ms < 100  # by instructions, not by a clock


def test_work_grows_with_the_iterations() -> None:
    some, more = (run(block(b"", iterations)) for iterations in (100_000, 300_000))
    assert isinstance(some, Returned) and isinstance(more, Returned)
    assert 2.5 < more.execute_ms / some.execute_ms < 3.5


def test_too_much_work_fails() -> None:
    outcome = run(block(b"", 2**63))
    assert isinstance(outcome, Failed) and "instructions" in outcome.reason


@pytest.mark.parametrize(
    "block_data",
    [
        block(b"payload", claimed=digest(b"other")),
        block(b"payload") + b"\0",
        block(b"payload")[:-1],
        b"",
    ],
    ids=["wrong digest", "trailing byte", "cut off", "nothing"],
)
def test_it_refuses_what_does_not_fit(block_data: bytes) -> None:
    assert isinstance(run(block_data), Failed)


def test_it_refuses_a_head_of_another_size() -> None:
    assert isinstance(run(block(b""), GENESIS + b"\0"), Failed)
