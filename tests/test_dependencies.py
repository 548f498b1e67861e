"""What the program needs of others is declared, needed, and fixed where the tests run."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src/parahost"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SHIM = SOURCE / "simulation/task_order.py"
"""The one file that may touch trio's inside."""
IMPORTED_BY_A_NODE = """
import json, sys
import parahost.cli.commands, parahost.process.run_node
print(json.dumps(sorted(sys.modules)))
"""
MOST = 40
"""Distributions that a node imports. With py-libp2p they were 69."""


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def named(requirement: str) -> str:
    """The distribution of which a requirement speaks."""
    return normal(re.split(r"[^\w.-]", requirement, maxsplit=1)[0])


DECLARED = {named(requirement) for requirement in PROJECT["dependencies"]}
EXTRAS = [
    requirement
    for group in PROJECT["optional-dependencies"].values()
    for requirement in group
    if named(requirement) != "parahost"
]
PROVIDERS = metadata.packages_distributions()


def providers(modules: set[str]) -> set[str]:
    """The distributions of which modules of these names are."""
    return {normal(one) for name in modules for one in PROVIDERS.get(name, ())} - {"parahost"}


def imports_of(file: Path) -> set[str]:
    """The packages from which a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def with_requirements(names: set[str]) -> set[str]:
    """And all that these need in turn."""
    closure: set[str] = set()
    waiting = set(names)
    while waiting:
        name = waiting.pop()
        closure.add(name)
        try:
            needed = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        waiting |= {named(one) for one in needed if "extra ==" not in one} - closure
    return closure


def test_a_node_imports_few_distributions_and_none_that_only_tests_need() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED_BY_A_NODE], capture_output=True, text=True, check=True
    )
    imported = providers({name.split(".")[0] for name in json.loads(done.stdout)})
    assert DECLARED & imported > {"trio", "noiseprotocol", "lmdb"}
    assert imported - with_requirements(DECLARED) <= {"setuptools"}, "what venv brings along"
    assert len(imported) <= MOST, sorted(imported)


def test_what_is_imported_is_declared_and_what_is_declared_is_imported() -> None:
    packages = {name for file in SOURCE.rglob("*.py") for name in imports_of(file)}
    others = packages - set(sys.stdlib_module_names) - {"parahost"}
    assert DECLARED <= providers(others) <= DECLARED | set(map(named, EXTRAS))


def test_each_dependency_has_a_lower_bound() -> None:
    assert [one for one in (*PROJECT["dependencies"], *EXTRAS) if ">=" not in one] == []


def test_what_the_tests_run_with_is_fixed_by_version_and_hash() -> None:
    text = (ROOT / "constraints.txt").read_text()
    blocks = re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)[1:]
    pinned = {named(block) for block in blocks}
    assert all("--hash=sha256:" in block for block in blocks)
    assert pinned >= DECLARED | set(map(named, EXTRAS))


def test_trios_inside_is_touched_in_one_place() -> None:
    touching = {
        file for file in SOURCE.rglob("*.py") if re.search(r"\btrio(\.\w+)*\._", file.read_text())
    }
    assert touching == {SHIM}
