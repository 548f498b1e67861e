import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parahost.crypto.hashing import keccak_256
from parahost.parachains.code import example_code
from parahost.ports.validation import ExecutionKind, ExecutionOutcome, Failed, Returned
from parahost.validation import InProcessHost, ValidationPool
from tests.parachains.params import head_of, validation_params

CASES = json.loads((Path(__file__).parents[1] / "vectors/pvf_adder.json").read_text())["cases"]
HOST = InProcessHost()


def u64(number: int) -> bytes:
    return number.to_bytes(8, "little")


def head(number: int, parent_hash: bytes, state: int) -> bytes:
    return u64(number) + parent_hash + keccak_256(u64(state))


def run(params: bytes) -> ExecutionOutcome:
    return HOST.run(example_code("adder"), params, ExecutionKind.BACKING)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_it_does_what_other_adders_do(case: dict[str, str]) -> None:
    outcome = run(bytes.fromhex(case["params_hex"]))
    if case["outcome"] == "ok":
        assert isinstance(outcome, Returned)
        assert outcome.result.hex() == case["result_hex"]
    else:
        assert isinstance(outcome, Failed)


@pytest.mark.guide("A102")
async def test_it_does_so_in_a_worker_process(tmp_path: Path) -> None:
    async with ValidationPool(tmp_path, workers=1) as pool:
        for case in CASES:
            params = bytes.fromhex(case["params_hex"])
            outcome = await pool.execute(example_code("adder"), params, ExecutionKind.BACKING)
            if case["outcome"] == "ok":
                assert isinstance(outcome, Returned)
                assert outcome.result.hex() == case["result_hex"]
            else:
                assert isinstance(outcome, Failed)


@given(
    st.integers(0, 2**64 - 2),
    st.binary(min_size=32, max_size=32),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
)
def test_it_adds_and_wraps(number: int, parent_hash: bytes, state: int, add: int) -> None:
    parent = head(number, parent_hash, state)
    outcome = run(validation_params(parent, u64(state) + u64(add)))
    expected = head(number + 1, keccak_256(parent), (state + add) % 2**64)
    assert head_of(outcome) == expected


@pytest.mark.parametrize(
    ("parent", "block_data"),
    [
        (head(0, bytes(32), 5), u64(6) + u64(1)),
        (head(0, bytes(32), 5), u64(5)),
        (head(0, bytes(32), 5)[:-1], u64(5) + u64(1)),
        (head(0, bytes(32), 5) + b"\0", u64(5) + u64(1)),
        (b"", b""),
    ],
    ids=["wrong state", "short block", "short head", "long head", "nothing"],
)
def test_it_refuses_what_does_not_fit(parent: bytes, block_data: bytes) -> None:
    assert isinstance(run(validation_params(parent, block_data)), Failed)


@given(st.binary(max_size=200))
def test_garbage_only_fails(params: bytes) -> None:
    assert isinstance(run(params), Failed)
