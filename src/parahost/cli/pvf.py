"""``parahost pvf``: validation functions outside any network."""

from __future__ import annotations

import json
import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from parahost.ports.validation import ExecutionOutcome

app = typer.Typer(help="Prepare, run and time validation functions.", no_args_is_help=True)

_EXIT_CODES = {"valid": 0, "invalid": 1, "undecided": 3}
_BAD_INPUT = 2


class Kind(StrEnum):
    """What the function is run for; decides its CPU time (2 s or 12 s)."""

    BACKING = "backing"
    CHECKING = "checking"


class BadInput(Exception):
    """What the user gave cannot be read; one line that says what and where."""


@app.callback()
def pvf() -> None:
    """Prepare, run and time validation functions."""


@app.command()
def run(
    code: Annotated[Path, typer.Argument(help="Wasm, compressed Wasm, or either as hex text.")],
    params: Annotated[str, typer.Option(help="SCALE ValidationParams: hex, or a file.")],
    kind: Annotated[Kind, typer.Option(help="Which CPU-time limit holds.")] = Kind.BACKING,
) -> None:
    """Run a validation function once in a worker process and print what came of it as JSON.

    Exits with 0 when it returned (valid), 1 when it failed (invalid), 3 when this machine did
    (undecided), 2 when the input cannot be read.
    """
    try:
        code_bytes = _unhex_if_text(_read_file(code))
        params_bytes = _read_params(params)
    except BadInput as error:
        typer.echo(f"parahost pvf run: {error}", err=True)
        raise typer.Exit(_BAD_INPUT) from None
    report = _describe(_execute(code_bytes, params_bytes, kind))
    typer.echo(json.dumps(report, indent=2))
    raise typer.Exit(_EXIT_CODES[str(report["outcome"])])


def _execute(code: bytes, params: bytes, kind: Kind) -> ExecutionOutcome:
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


def _describe(outcome: ExecutionOutcome) -> dict[str, object]:
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
        verdict, reason, result_hex = "valid", None, outcome.result.hex()
    else:
        verdict, reason, result_hex = "invalid", outcome.reason, None
    return {
        "outcome": verdict,
        "reason": reason,
        "result_hex": result_hex,
        "prepare_ms": round(outcome.prepare_ms, 3),
        "execute_ms": round(outcome.execute_ms, 3),
        "peak_memory_kb": outcome.peak_memory_kb,
    }


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
