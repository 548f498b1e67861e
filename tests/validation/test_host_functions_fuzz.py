"""Whatever a guest hands to a host function, the outcome is one of the function's: never an
exception of ours, which would end a worker and leave the candidate undecided."""

from __future__ import annotations

import struct
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parahost.ports.validation import ExecutionKind, Failed, Returned
from parahost.primitives.scale import encode
from parahost.validation import InProcessHost
from parahost.validation.host_functions import HOST_FUNCTIONS, HostFunction
from tests.validation.guests import IMPORTED_MEMORY, guest, imported

HOST = InProcessHost()
SLOTS = max(len(function.parameters) for function in HOST_FUNCTIONS.values())
"""The parameters begin with so many arguments of eight bytes; pointers count from their start."""
DATA_AT = SLOTS * 8

small = st.integers(0, 300)
pointers = st.builds(lambda at: DATA_AT + at, st.integers(0, 70)) | small
spans = st.builds(lambda at, length: at | length << 32, pointers, small)
arguments = spans | pointers | st.integers(0, 2**64 - 1) | st.sampled_from([0, 1, 2**32 - 1])
pairs = st.lists(st.tuples(st.binary(max_size=6), st.binary(max_size=40)), max_size=6)
data = (
    st.binary(max_size=200)
    | pairs.map(lambda each: encode(tuple(each), tuple[tuple[bytes, bytes], ...]))
    | st.lists(st.binary(max_size=40), max_size=6).map(
        lambda each: encode(tuple(each), tuple[bytes, ...])
    )
)


@cache
def calling(name: str) -> bytes:
    """Calls it with the arguments that the parameters begin with; twice, for what stays open."""
    function = HOST_FUNCTIONS[name]
    loads = " ".join(_argument(letter, slot) for slot, letter in enumerate(function.parameters))
    call = f"(call ${name} {loads})"
    body = f"(drop {call})" if function.results else call
    before = imported(name, function.parameters, function.results)
    return guest(f"{body} {body} (i64.const 0)", before=before, memory=IMPORTED_MEMORY)


def _argument(letter: str, slot: int) -> str:
    kind, pointer = ("i32", "(local.get $ptr)")
    if letter == "l":
        kind, pointer = "i64", "(i64.extend_i32_u (local.get $ptr))"
    return f"({kind}.add {pointer} ({kind}.load offset={slot * 8} (local.get $ptr)))"


@pytest.mark.parametrize("function", HOST_FUNCTIONS.values(), ids=lambda each: each.name)
@settings(max_examples=15, deadline=None)
@given(given_arguments=st.lists(arguments, min_size=SLOTS, max_size=SLOTS), given_data=data)
def test_it_answers_or_the_guest_is_at_fault(
    function: HostFunction, given_arguments: list[int], given_data: bytes
) -> None:
    params = struct.pack(f"<{SLOTS}Q", *given_arguments) + given_data + bytes(40)
    outcome = HOST.run(calling(function.name), params, ExecutionKind.CHECKING)
    assert isinstance(outcome, Returned | Failed), outcome
