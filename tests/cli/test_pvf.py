"""``parahost pvf run`` as a user calls it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import wasmtime
from typer.testing import CliRunner, Result

from parahost.cli.pvf import app
from parahost.parachains.code import example_code
from parahost.primitives.basic import H256, U32, BlockNumber, HeadData
from parahost.primitives.candidates import ValidationParams
from parahost.primitives.scale import encode
from tests.validation.guests import DEEPEST, OVERDOES, deep_calls, guest

CASE = json.loads((Path(__file__).parents[1] / "vectors/pvf_adder.json").read_text())["cases"][0]
PARAMS = CASE["params_hex"]


@pytest.fixture
def code_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "adder.wasm"
    path.write_bytes(example_code("adder"))
    return path


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["run", *map(str, arguments)])


def test_a_valid_run(code_file: Path) -> None:
    done = invoke(code_file, "--params", PARAMS, "--kind", "checking")
    assert done.exit_code == 0
    report = json.loads(done.stdout)
    assert list(report) == [
        "outcome",
        "reason",
        "result_hex",
        "prepare_ms",
        "execute_ms",
        "peak_memory_kb",
    ]
    assert report["outcome"] == "valid" and report["reason"] is None
    assert report["result_hex"] == CASE["result_hex"]
    assert report["prepare_ms"] > 0 and report["execute_ms"] > 0 and report["peak_memory_kb"] > 0


def test_code_and_params_may_be_hex_text_in_files(code_file: Path, tmp_path: Path) -> None:
    hex_code, hex_params, raw_params = (tmp_path / name for name in ("code", "hex", "raw"))
    hex_code.write_text(f"0x{code_file.read_bytes().hex()}\n")
    hex_params.write_text(f"0x{PARAMS}\n")
    raw_params.write_bytes(bytes.fromhex(PARAMS))
    for params in (hex_params, raw_params, f"0x{PARAMS}"):
        done = invoke(hex_code, "--params", params)
        assert json.loads(done.stdout)["result_hex"] == CASE["result_hex"]


def test_an_invalid_run(code_file: Path, tmp_path: Path) -> None:
    done = invoke(code_file, "--params", "00")
    assert done.exit_code == 1
    report = json.loads(done.stdout)
    assert report["outcome"] == "invalid" and report["result_hex"] is None
    assert "unreachable" in report["reason"]

    not_wasm = tmp_path / "not.wasm"
    not_wasm.write_bytes(b"<html>")
    done = invoke(not_wasm, "--params", PARAMS)
    assert done.exit_code == 1
    assert "not Wasm" in json.loads(done.stdout)["reason"]


RELAY_PARENT = 7
GUEST_PARAMS = encode(
    ValidationParams(HeadData(b""), b"", BlockNumber(U32(RELAY_PARENT)), H256(bytes(32)))
).hex()


def returning(result: bytes) -> bytes:
    """A function that returns ``result`` whatever it is given."""
    text = "".join(f"\\{byte:02x}" for byte in result)
    return bytes(
        wasmtime.wat2wasm(
            f"""(module (memory (export "memory") 2)
              (global (export "__heap_base") i32 (i32.const 100000))
              (data (i32.const 16) "{text}")
              (func (export "validate_block") (param i32 i32) (result i64)
                (i64.const {len(result) << 32 | 16})))"""
        )
    )


def result_of(head: bytes, watermark: int = RELAY_PARENT) -> bytes:
    """SCALE ``ValidationResult`` by hand (D32): head, no code, no messages, none processed."""
    size = (len(head) << 2 | 2).to_bytes(4, "little")
    return size + head + bytes(3) + bytes(4) + watermark.to_bytes(4, "little")


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (b"\x01\x02\x03\x04\x05", "no ValidationResult"),
        (b"", "no ValidationResult"),
        (result_of(bytes(20_000)) + b"\0", "no ValidationResult"),
        (result_of(bytes(32 * 1024 + 1)), "the head has 32769 bytes, at most 32768 are allowed"),
        (result_of(bytes(20_000), watermark=8), "hrmp_watermark is 8, not 7"),
        (result_of(bytes(20_000)), None),
    ],
    ids=["garbage", "nothing", "too-long", "large-head", "watermark", "good"],
)
def test_what_a_function_returns_is_judged_as_validators_judge_it(
    code_file: Path, result: bytes, reason: str | None
) -> None:
    code_file.write_bytes(returning(result))
    done = invoke(code_file, "--params", GUEST_PARAMS)
    report = json.loads(done.stdout)
    assert report["result_hex"] == result.hex()
    if reason is None:
        assert (done.exit_code, report["outcome"], report["reason"]) == (0, "valid", None)
    else:
        assert (done.exit_code, report["outcome"]) == (1, "invalid")
        assert reason in report["reason"]


def test_a_good_result_cannot_be_judged_without_the_relay_parent(code_file: Path) -> None:
    code_file.write_bytes(returning(result_of(bytes(20_000))))
    done = invoke(code_file, "--params", "00")
    assert done.exit_code == 2 and done.stdout == ""
    assert "--params is no SCALE ValidationParams" in done.stderr


def test_logs_and_the_place_of_a_trap_are_shown(code_file: Path) -> None:
    text = "cannot go on"
    code_file.write_bytes(
        wasmtime.wat2wasm(
            f"""(module
              (import "env" "ext_misc_print_utf8_version_1" (func $print (param i64)))
              (memory (export "memory") 2)
              (global (export "__heap_base") i32 (i32.const 100000))
              (data (i32.const 16) "{text}")
              (func $"give\\1b[2Jup" (call $print (i64.const {len(text) << 32 | 16})) unreachable)
              (func $check (export "validate_block") (param i32 i32) (result i64)
                (call $"give\\1b[2Jup") (i64.const 0)))"""
        )
    )
    done = invoke(code_file, "--params", GUEST_PARAMS)
    assert done.exit_code == 1
    assert done.stderr.splitlines() == [
        f"log: {text}",
        "trapped in: give\N{REPLACEMENT CHARACTER}[2Jup",
        "trapped in: check",
    ]


@pytest.mark.parametrize(
    ("endless", "reason"),
    [
        (deep_calls(DEEPEST + 1), "the stack limit of 65,536 values was reached"),
        (guest(OVERDOES), "the fuel limit of 8,000,000,000 instructions was reached"),
    ],
)
def test_the_limit_that_ended_a_function_is_named(
    endless: bytes, reason: str, tmp_path: Path
) -> None:
    code = tmp_path / "endless.wasm"
    code.write_bytes(endless)
    done = invoke(code, "--params", GUEST_PARAMS, "--kind", "checking")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["reason"] == reason


def test_an_undecided_run(code_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(code_file))
    done = invoke(code_file, "--params", PARAMS)
    assert done.exit_code == 3
    report = json.loads(done.stdout)
    assert report["outcome"] == "undecided"
    assert "Not a directory" in report["reason"]


@pytest.mark.parametrize(
    ("code", "params", "line"),
    [
        ("missing.wasm", "00", "parahost pvf run: missing.wasm: No such file or directory"),
        (".", "00", "parahost pvf run: .: Is a directory"),
        (None, "0xzz", "parahost pvf run: --params is neither hex nor a file: 0xzz"),
        (None, "x" * 5000, f"parahost pvf run: --params is neither hex nor a file: {'x' * 40}..."),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    code_file: Path, code: str | None, params: str, line: str
) -> None:
    done = invoke(code or code_file, "--params", params)
    assert done.exit_code == 2
    assert done.stderr.splitlines() == [line]
    assert done.stdout == ""


def test_an_unknown_kind_is_bad_input(code_file: Path) -> None:
    done = invoke(code_file, "--params", "00", "--kind", "guessing")
    assert done.exit_code == 2 and "guessing" in done.stderr


def test_loading_the_command_loads_no_machinery() -> None:
    script = "import sys, parahost.cli.pvf; print(*{'trio', 'wasmtime'} & set(sys.modules))"
    loaded = subprocess.check_output([sys.executable, "-c", script], text=True)
    assert loaded.split() == []
