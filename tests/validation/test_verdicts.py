"""A worker and the simulation come to the same verdict on the same code and parameters (D34).

Each guest stands for a way to end. Where the machine ends it, the two agree that nothing is known.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import wasmtime
import zstandard

from parahost.ports.validation import (
    ExecutionKind,
    ExecutionOutcome,
    Failed,
    Returned,
    Undecided,
)
from parahost.primitives.basic import ValidationCode
from parahost.primitives.compression import COMPRESSED_PREFIX
from parahost.validation import InProcessHost, Limits, ValidationPool
from parahost.validation.host_functions import HOST_FUNCTIONS, HostFunction
from tests.validation.guests import (
    DEEPEST,
    ECHO,
    IMPORTED_MEMORY,
    MEMORY_HOG,
    OVERDOES,
    PARAMS,
    deep_calls,
    guest,
    imported,
    logging_guest,
    span,
)

PANIC = "ext_panic_handler_abort_on_panic_version_1"
MALLOC = "ext_allocator_malloc_version_1"
RECURSION = "(func $f (result i32) (i32.add (i32.const 1) (call $f)))"
ONE_PAGE = '(memory (export "memory") 1)'


def compressed(wasm: bytes) -> bytes:
    return COMPRESSED_PREFIX + zstandard.ZstdCompressor().compress(wasm)


GUESTS: dict[str, tuple[bytes, type[ExecutionOutcome]]] = {
    "returns": (guest(ECHO), Returned),
    "returns, and is compressed": (compressed(guest(ECHO)), Returned),
    "is compressed, and cut off": (compressed(guest(ECHO))[:-3], Failed),
    "is compressed zeros without end": (compressed(bytes(1 << 30)), Failed),
    "returns from imported memory": (guest(ECHO, memory=IMPORTED_MEMORY), Returned),
    "fills its memory and returns": (guest(MEMORY_HOG + ECHO), Returned),
    "logs 100 MiB of words": (logging_guest(100, b"ab ab ab"), Returned),
    "logs 100 MiB that are no text": (logging_guest(100, b"\xff \xfe \xff "), Returned),
    "traps": (guest("unreachable"), Failed),
    "divides by zero": (guest("(i64.div_u (i64.const 1) (i64.const 0))"), Failed),
    "reads beyond its memory": (guest("(i64.load (i32.const -8))"), Failed),
    "panics": (
        guest(f"(call ${PANIC} {span(0, 5)}) {ECHO}", before=imported(PANIC, "l")),
        Failed,
    ),
    "panics in control characters": (
        guest(
            f"(call ${PANIC} {span(0, 5)}) {ECHO}",
            before=imported(PANIC, "l"),
            memory=f'{ONE_PAGE} (data (i32.const 0) "\\1b[2J\\07")',
        ),
        Failed,
    ),
    "calls what nobody provides": (
        guest(f"(call $nonesuch) {ECHO}", before=imported("nonesuch")),
        Failed,
    ),
    "returns what lies outside": (guest("(i64.const -1)"), Failed),
    "has data beyond its memory": (
        guest(ECHO, memory=f'{ONE_PAGE} (data (i32.const 65535) "ab")'),
        Failed,
    ),
    "loops for ever": (guest(OVERDOES), Failed),
    "loops for ever in its start": (
        guest(ECHO, memory=f"{ONE_PAGE} (func $s {OVERDOES} drop) (start $s)"),
        Failed,
    ),
    "allocates for ever": (
        guest(
            f"(loop $again (drop (call ${MALLOC} (i32.const 65536))) (br $again)) (i64.const 0)",
            before=imported(MALLOC, "i", "i"),
            memory=IMPORTED_MEMORY,
        ),
        Failed,
    ),
    "calls itself for ever": (
        guest(f"(drop (call $f)) {ECHO}", memory=f"{ONE_PAGE} {RECURSION}"),
        Failed,
    ),
    "calls as deep as may be": (deep_calls(DEEPEST), Returned),
    "calls one deeper": (deep_calls(DEEPEST + 1), Failed),
    "has too many functions": (
        bytes(wasmtime.wat2wasm("(module " + "(func)" * 100_001 + ")")),
        Failed,
    ),
    "exports nothing": (bytes(wasmtime.wat2wasm("(module)")), Failed),
    "is no Wasm": (b"no wasm", Failed),
    "is nothing": (b"", Failed),
    "is cut off": (guest(ECHO)[:-3], Failed),
}


@pytest.fixture(scope="module")
def simulated() -> InProcessHost:
    return InProcessHost()


@pytest.mark.parametrize("name", GUESTS)
async def test_a_worker_says_what_the_simulation_says(
    name: str, simulated: InProcessHost, tmp_path: Path
) -> None:
    code, verdict = GUESTS[name]
    with trio.fail_after(120):
        async with ValidationPool(tmp_path, workers=1, limits=Limits(checking_cpu_s=60)) as pool:
            real = await pool.execute(ValidationCode(code), PARAMS, ExecutionKind.CHECKING)
    same = simulated.run(code, PARAMS, ExecutionKind.CHECKING)
    assert type(real) is type(same) is verdict, (real, same)
    if isinstance(real, Returned) and isinstance(same, Returned):
        assert (real.result, real.peak_memory_kb) == (same.result, same.peak_memory_kb)
    elif isinstance(real, Failed) and isinstance(same, Failed):
        assert (real.reason, real.peak_memory_kb) == (same.reason, same.peak_memory_kb)
        assert real.reason.isprintable()
    elif isinstance(real, Undecided) and isinstance(same, Undecided):
        assert same.reason in real.reason


def calling(*functions: HostFunction) -> bytes:
    """Code that calls them one after the other, with zeros, and returns its parameters."""
    zeros = {"i": "(i32.const 0)", "l": span(0, 0)}
    body, imports = [], []
    for function in functions:
        arguments = " ".join(zeros[letter] for letter in function.parameters)
        call = f"(call ${function.name} {arguments})"
        body.append(f"(drop {call})" if function.results else call)
        imports.append(imported(function.name, function.parameters, function.results))
    return guest(
        "\n".join([*body, ECHO]),
        before="\n".join(imports),
        memory='(import "env" "memory" (memory 2))',
    )


async def test_a_confined_worker_has_each_host_function(
    simulated: InProcessHost, tmp_path: Path
) -> None:
    """What a function imports when it is called, a worker cannot open any more. Each code takes a
    worker of its own: those that return share one, those that end the call have one each."""
    ending = [
        function
        for function in HOST_FUNCTIONS.values()
        if isinstance(simulated.run(calling(function), PARAMS, ExecutionKind.CHECKING), Failed)
    ]
    returning = [function for function in HOST_FUNCTIONS.values() if function not in ending]
    assert len(returning) > len(ending)
    async with ValidationPool(tmp_path, workers=1) as pool:
        for functions in (returning, *([each] for each in ending)):
            code = calling(*functions)
            names = [function.name for function in functions]
            real = await pool.execute(ValidationCode(code), PARAMS, ExecutionKind.CHECKING)
            same = simulated.run(code, PARAMS, ExecutionKind.CHECKING)
            assert not isinstance(real, Undecided), names
            assert type(real) is type(same), names
            if isinstance(real, Failed) and isinstance(same, Failed):
                assert real.reason == same.reason
            else:
                assert functions is returning
