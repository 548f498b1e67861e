"""``parahost new`` writes a parachain that runs, is tested, and is upgraded while it runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from parahost.cli.main import run
from parahost.parachains import load_specs
from parahost.parachains.code import Language, counter_code
from parahost.testing import devnet

PARA = 2345


def new(folder: Path, name: str, *options: str) -> int:
    here = Path.cwd()
    os.chdir(folder)
    try:
        return run(["new", name, *options])
    finally:
        os.chdir(here)


@pytest.mark.parametrize(("language", "source"), [("c", "validation.c"), ("rust", "validation.rs")])
def test_it_has_its_own_names(tmp_path: Path, language: Language, source: str) -> None:
    assert new(tmp_path, "my-chain", "--language", language, "--id", str(PARA)) == 0
    project = tmp_path / "my-chain"
    assert (project / "validation.wasm").read_bytes() == counter_code(language)
    assert source in (project / "README.md").read_text()
    assert not [path for path in project.iterdir() if b"PROJECT" in path.read_bytes()]
    (spec,) = load_specs([str(project / "my-chain.toml")])
    assert spec.id == PARA and spec.collator == "my_chain_collator:CounterCollator"


def test_its_own_test_passes(tmp_path: Path) -> None:
    assert new(tmp_path, "tested", "--language", "rust", "--id", str(PARA)) == 0
    project = tmp_path / "tested"
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "parahost.testing.plugin", str(project)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert tested.returncode == 0 and "1 passed" in tested.stdout, tested.stdout


@pytest.mark.parametrize("language", ["c", "rust"])
def test_its_build_rule_gives_the_wasm_that_it_brings(tmp_path: Path, language: Language) -> None:
    """With the compiler that has built what we ship, the same bytes; see ``test_build.py``."""
    compiler = {"c": "clang", "rust": "/usr/bin/rustc"}[language]
    if shutil.which(compiler) is None or shutil.which("make") is None:
        pytest.skip(f"not installed: {compiler} and make")
    assert new(tmp_path, "mine", "--language", language) == 0
    made = subprocess.run(
        ["make", "-s", "-C", tmp_path / "mine", "upgrade.wasm", f"RUSTC={compiler}"], check=False
    )
    if made.returncode:
        pytest.skip(f"{compiler} does not compile to Wasm here")
    module = (tmp_path / "mine/upgrade.wasm").read_bytes()
    assert module.startswith(b"\0asm")
    first_line = {"c": "COMPILER", "rust": "RUST_COMPILER"}[language]
    recorded = Path(sys.modules["parahost.parachains"].__path__[0], first_line).read_text().strip()
    asked = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True)
    if asked.stdout.splitlines()[0].strip() == recorded:
        assert module == counter_code(language)


@pytest.mark.devnet
@pytest.mark.guide("A18", "A19", "A96")
def test_it_changes_its_function_on_a_running_chain(tmp_path: Path) -> None:
    """As PARACHAINS.md has it: from the function in C to the one in Rust, and not a block is
    lost."""
    assert new(tmp_path, "counter", "--id", str(PARA)) == 0
    spec = tmp_path / "counter/counter.toml"
    options = ["--config", "validation_upgrade_delay=6"]
    with devnet(parachains=[str(spec)], validators=2, arguments=options) as network:
        chain = network.chain()
        network.wait_for_height(PARA, 1)
        code = chain.query("Paras", "ValidationCode", [PARA])
        assert code == counter_code("c")
        wanted = tmp_path / "counter/upgrade.new"
        wanted.write_bytes(counter_code("rust"))
        wanted.rename(wanted.with_name("upgrade.wasm"))
        network.wait_for_event("Paras.CodeUpgradeScheduled")
        network.wait_for_event("Paras.CurrentCodeUpdated")
        assert chain.query("Paras", "ValidationCode", [PARA]) == counter_code("rust")
        network.wait_for_height(PARA, network.height(PARA) + 2, finalized=True)
        for validator in ("validator-1", "validator-2"):
            assert not network.lines(validator, "backing.judged_invalid")
        collator = f"collator-{PARA}"
        assert not network.lines(collator, "collation.not_made")
        assert len(network.lines(collator, "collation.other_code")) == 1, "told, and once"


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "My-chain", "9lives", "a b", "a/../B", "-a", "a-", "a__b", "x" * 65, "ä"],
)
def test_what_is_no_name(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert new(tmp_path, "--", name) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("parahost: ") and "no name for a parachain" in line
    assert not list(tmp_path.iterdir())


def test_what_is_there_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for there in ("a-folder", "a-file"):
        path = tmp_path / there
        path.mkdir() if there == "a-folder" else path.write_text("mine")
        assert new(tmp_path, there) == 2
        assert f"{there}: is there already; choose another name" in capsys.readouterr().err
    assert not list((tmp_path / "a-folder").iterdir())
    assert (tmp_path / "a-file").read_text() == "mine"
    assert new(tmp_path, "no-such-folder/mine") == 2
    assert "no-such-folder/mine: No such file or directory" in capsys.readouterr().err
