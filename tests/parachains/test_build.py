"""The committed Wasm is what its source compiles to."""

import shutil
import subprocess
from pathlib import Path

import pytest
import wasmtime

import parahost.parachains
from parahost.parachains.code import ExampleName, counter_code, example_code

PARACHAINS = Path(parahost.parachains.__file__).parent
NAMES: tuple[ExampleName, ...] = ("adder", "ledger", "load")


def build(tmp_path: Path, target: str, compiler: str) -> None:
    """Skips the test where the compiler is another than the one that built what is committed."""
    subprocess.run(["make", "-s", "-C", PARACHAINS, f"OUT={tmp_path}", target], check=True)
    recorded = (PARACHAINS / compiler).read_text()
    present = (tmp_path / compiler).read_text()
    if present != recorded:
        pytest.skip(f"the committed Wasm is of {recorded.strip()}, here is {present.strip()}")


def test_the_c_source_compiles_to_the_committed_wasm(tmp_path: Path) -> None:
    missing = [tool for tool in ("clang", "wasm-ld", "make") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    build(tmp_path, "c", "COMPILER")
    for name in NAMES:
        built = (tmp_path / name / "validation.wasm").read_bytes()
        assert built == example_code(name), f"{name}: run `make wasm` and commit the result"
    assert (tmp_path / "project/c.wasm").read_bytes() == counter_code("c")


def test_the_rust_source_compiles_to_the_committed_wasm(tmp_path: Path) -> None:
    if shutil.which("make") is None:
        pytest.skip("not installed: make")
    asked = subprocess.run(
        ["make", "-s", "-C", PARACHAINS, f"OUT={tmp_path}", "print-rustc"],
        check=True,
        capture_output=True,
        text=True,
    )
    if not asked.stdout.strip():
        pytest.skip("not installed: a rustc that compiles to Wasm")
    build(tmp_path, "rust", "RUST_COMPILER")
    assert (tmp_path / "project/rust.wasm").read_bytes() == counter_code("rust")


@pytest.mark.parametrize(
    ("name", "imports"),
    [
        ("adder", []),
        ("load", ["ext_hashing_blake2_256_version_1"]),
        ("ledger", ["ext_crypto_sr25519_verify_version_2"]),
    ],
)
def test_the_examples_import_no_more_than_they_say(name: ExampleName, imports: list[str]) -> None:
    module = wasmtime.Module(wasmtime.Engine(), example_code(name))
    assert [entry.name for entry in module.imports] == imports
