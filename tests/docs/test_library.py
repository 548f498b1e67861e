"""What LIBRARY.md shows works as it stands; and what packages list is there."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

from parahost.cli.chain_spec import app
from parahost.ports import DatabaseError
from parahost.process.base_path import BasePath
from parahost.process.reading import stopped_chain
from parahost.runtime.chain_spec import ChainSpec
from parahost.storage.lmdb import LmdbDatabase

TEXT = (Path(__file__).parents[2] / "docs" / "LIBRARY.md").read_text()
EXAMPLES = [part.split("```")[0] for part in TEXT.split("```python\n")[1:]]
FACADES = [
    "parahost.chain",
    "parahost.erasure",
    "parahost.parachains",
    "parahost.primitives",
    "parahost.primitives.scale",
    "parahost.simulation",
    "parahost.testing",
    "parahost.validation",
]


@pytest.fixture
def spec_file(tmp_path: Path) -> Path:
    path = tmp_path / "chain-spec.json"
    made = CliRunner().invoke(
        app, ["new", "--parachain", "adder", "--parachain", "adder", "--output", str(path)]
    )
    assert made.exit_code == 0, made.output
    return path


def test_the_examples_run(tmp_path: Path, spec_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base_path = tmp_path / "node"
    LmdbDatabase(BasePath(base_path).database).close()
    program = ModuleType("library")
    monkeypatch.setitem(sys.modules, "library", program)
    names: dict[str, Any] = vars(program)
    names |= {"spec_file": spec_file, "base_path": base_path}
    assert len(EXAMPLES) == 5
    for number, example in enumerate(EXAMPLES, start=1):
        exec(compile(example, f"LIBRARY.md, example {number}", "exec"), names)
    assert len(names["outcome"].verdicts) > 10
    assert sorted(names["heads"]) == [2000, 2001]


def test_a_chain_is_read_where_one_is_and_nobody_else_does(tmp_path: Path, spec_file: Path) -> None:
    spec = ChainSpec.from_json(spec_file.read_text(), str(spec_file))
    with pytest.raises(FileNotFoundError, match="no node has kept a chain"):
        stopped_chain(tmp_path / "nobody", spec).__enter__()
    assert not (tmp_path / "nobody").exists()
    base = BasePath(tmp_path / "node")
    running = LmdbDatabase(base.database)
    with pytest.raises(DatabaseError, match="open already"):
        stopped_chain(base.root, spec).__enter__()
    running.close()
    with stopped_chain(base.root, spec) as chain:
        assert chain.best.hash() == spec.genesis_hash()


@pytest.mark.parametrize("name", FACADES)
def test_a_package_has_what_it_lists(name: str) -> None:
    package = import_module(name)
    listed = package.__all__
    assert len(set(listed)) == len(listed)
    assert all(hasattr(package, each) for each in listed)
    assert not hasattr(package, "no_such_name")
