"""``parahost pvf``: validation functions outside any network."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from parahost.cli.failure import BAD_INPUT, BadInput

if TYPE_CHECKING:
    from parahost.ports.validation import ExecutionOutcome

app = typer.Typer(help="Prepare, run and time validation functions.", no_args_is_help=True)

_EXIT_CODES = {"valid": 0, "invalid": 1, "undecided": 3}
_MOST_FRAMES = 32


class KindOfRun(StrEnum):
    """What the function is run for; decides its CPU time (2 s or 12 s)."""

    BACKING = "backing"
    CHECKING = "checking"


@app.callback()
def pvf() -> None:
    """Prepare, run and time validation functions."""


@app.command()
def run(
    code: Annotated[Path, typer.Argument(help="Wasm, compressed Wasm, or either as hex text.")],
    params: Annotated[str, typer.Option(help="SCALE ValidationParams: hex, or a file.")],
    kind: Annotated[
        KindOfRun, typer.Option(help="Which CPU-time limit holds.")
    ] = KindOfRun.BACKING,
) -> None:
    """Run a validation function once and print as JSON what validators would say of it.

    Exits with 0 for valid, 1 for invalid (the function failed, or returned what is no
    ValidationResult or what the relay chain would not accept by its default configuration), 3 for
    undecided (this machine failed), 2 when the input cannot be used.
    """
    try:
        code_bytes = _unhex_if_text(_read_file(code))
        params_bytes = _read_params(params)
        report = _describe(_execute(code_bytes, params_bytes, kind), params_bytes)
    except BadInput as error:
        typer.echo(f"parahost pvf run: {error}", err=True)
        raise typer.Exit(BAD_INPUT) from None
    if report["outcome"] != "undecided":
        _tell_what_it_said(code_bytes, params_bytes)
    typer.echo(json.dumps(report, indent=2))
    raise typer.Exit(_EXIT_CODES[str(report["outcome"])])


def _execute(code: bytes, params: bytes, kind: KindOfRun) -> ExecutionOutcome:
    import trio

    from parahost.primitives.basic import ValidationCode
    from parahost.validation import ExecutionKind, Limits, ValidationPool
    from parahost.validation.preparation import PreparationLimits

    # There is no other code here that would have to wait.
    limits = Limits(preparation=PreparationLimits(first_cpu_s=60, wait_s=600))

    async def execute() -> ExecutionOutcome:
        async with ValidationPool(_cache_dir(), workers=1, limits=limits) as pool:
            return await pool.execute(ValidationCode(code), params, ExecutionKind[kind.name])

    return trio.run(execute)


def _tell_what_it_said(code: bytes, params: bytes) -> None:
    """Print to standard error what the function logged, its panic's text too, and where it trapped.

    Workers do not tell. So it runs a second time, in this process, where nothing confines it but
    Wasm; it comes to the same end, as it did where nothing is left to the machine.
    """
    from parahost.validation.abi import CallReport, ValidationFunction
    from parahost.validation.code import wasm_of
    from parahost.validation.engine import Engine
    from parahost.validation.errors import FunctionFailed, MachineTrouble
    from parahost.validation.wire import printable

    engine, call = Engine(), CallReport(frames=[])
    with suppress(FunctionFailed, MachineTrouble):
        ValidationFunction(engine, engine.compile(wasm_of(code))).call(params, call)
    for line in call.log:
        typer.echo(f"log: {line}", err=True)
    for frame in (call.frames or [])[:_MOST_FRAMES]:
        typer.echo(f"trapped in: {printable(frame)}", err=True)


def _describe(outcome: ExecutionOutcome, params: bytes) -> dict[str, object]:
    from parahost.ports.validation import Returned, Undecided

    if isinstance(outcome, Undecided):
        return {
            "outcome": "undecided",
            "reason": outcome.reason,
            "result_hex": None,
            "prepare_ms": 0.0,
            "execute_ms": 0.0,
            "peak_memory_kb": 0,
        }
    if isinstance(outcome, Returned):
        reason, result_hex = _objection(outcome.result, params), outcome.result.hex()
    else:
        reason, result_hex = outcome.reason, None
    return {
        "outcome": "valid" if reason is None else "invalid",
        "reason": reason,
        "result_hex": result_hex,
        "prepare_ms": round(outcome.prepare_ms, 3),
        "execute_ms": round(outcome.execute_ms, 3),
        "peak_memory_kb": outcome.peak_memory_kb,
    }


def _objection(result: bytes, params: bytes) -> str | None:
    """Why validators would refuse what the function returned, as far as a run without a candidate
    and a chain can tell: there is nothing that it was promised to be, and no earlier upgrade."""
    from parahost.node.messages.utility import CandidateInvalid
    from parahost.node.utility.candidate_validation import judge_acceptance, read_result
    from parahost.primitives.acceptance import AcceptanceCriteria
    from parahost.primitives.basic import U32, BlockNumber
    from parahost.primitives.candidates import ValidationParams
    from parahost.primitives.scale import ScaleDecodeError, decode
    from parahost.runtime.parachains.configuration import DEFAULT_CONFIGURATION as DEFAULT

    outputs = read_result(result)
    if isinstance(outputs, CandidateInvalid):
        return outputs.reason
    try:
        given: ValidationParams = decode(ValidationParams, params)
    except ScaleDecodeError as error:
        raise BadInput(f"--params is no SCALE ValidationParams: {error}") from None
    criteria = AcceptanceCriteria(
        max_head_data_size=DEFAULT.max_head_data_size,
        max_code_size=DEFAULT.max_code_size,
        new_code_allowed_from=BlockNumber(U32(0)),
        relay_parent_number=given.relay_parent_number,
    )
    refused = judge_acceptance(outputs.commitments(), criteria)
    return None if refused is None else refused.reason


def _read_params(text: str) -> bytes:
    """Hex, or a file that holds the bytes or their hex. What is hex is not looked for on disk."""
    unprefixed = text.removeprefix("0x")
    try:
        return bytes.fromhex(unprefixed)
    except ValueError:
        pass
    path = Path(text)
    try:
        is_file = path.is_file()
    except OSError:  # too long for a name
        is_file = False
    if not is_file:
        shown = text if len(text) <= 40 else f"{text[:40]}..."
        raise BadInput(f"--params is neither hex nor a file: {shown}")
    return _unhex_if_text(_read_file(path))


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from None


def _unhex_if_text(content: bytes) -> bytes:
    """The bytes that a file holds, or that its hex text stands for."""
    try:
        return bytes.fromhex(content.decode("ascii").strip().removeprefix("0x"))
    except ValueError:
        return content


def _cache_dir() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "parahost" / "artifacts"
