"""The committed Wasm is what its source compiles to."""

import shutil
import subprocess
from pathlib import Path

import pytest
import wasmtime

import parahost.parachains
from parahost.parachains.code import ExampleName, example_code

PARACHAINS = Path(parahost.parachains.__file__).parent
NAMES: tuple[ExampleName, ...] = ("adder", "ledger", "load")


def test_the_source_compiles_to_the_committed_wasm(tmp_path: Path) -> None:
    missing = [tool for tool in ("clang", "wasm-ld", "make") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    subprocess.run(["make", "-s", "-C", PARACHAINS, f"OUT={tmp_path}"], check=True)
    for name in NAMES:
        assert (tmp_path / name / "validation.wasm").is_file()
    recorded = (PARACHAINS / "COMPILER").read_text()
    present = (tmp_path / "COMPILER").read_text()
    if present != recorded:
        pytest.skip(f"the committed Wasm is of {recorded.strip()}, here is {present.strip()}")
    for name in NAMES:
        built = (tmp_path / name / "validation.wasm").read_bytes()
        assert built == example_code(name), f"{name}: run `make wasm` and commit the result"


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
