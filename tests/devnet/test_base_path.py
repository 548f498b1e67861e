"""Of a devnet's base path goes what a devnet has made, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from parahost.devnet.base_path import base_path_taken, clear, temporary_base_path
from parahost.devnet.errors import BadPlan
from parahost.devnet.plan_file import PlanFile


def files_below(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*")}


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def test_what_a_devnet_has_made_goes(tmp_path: Path) -> None:
    PlanFile({"validators": 1}, {"validator-1": "", "collator-2000": ""}).write(tmp_path)
    write(
        tmp_path,
        "chain-spec.json",
        "validator-1/db/data.mdb",
        "validator-1/promises/data.mdb",
        "validator-1/promises.before-1/data.mdb",
        "validator-1/keystore/62616265",
        "validator-1/node-key",
        "validator-1/node.log",
        "validator-1/node.log.1",
        "validator-1/node.log-20261127.gz",
        "validator-1/output.log",
        "collator-2000/artifacts/one",
    )
    clear(tmp_path)
    assert files_below(tmp_path) == set()


def test_what_is_the_users_stays(tmp_path: Path) -> None:
    PlanFile({"validators": 1}, {"validator-1": "", "validator-2": ""}).write(tmp_path)
    kept = {
        "notes.txt",
        "validator-1/notes.txt",
        "validator-1/node.logs",
        "validator-1/db.backup/data.mdb",
        "validator-9/node.log",
        "by-hand/db/data.mdb",
    }
    write(tmp_path, *kept, "validator-1/node.log")
    elsewhere = tmp_path / "elsewhere"
    write(elsewhere, "db/data.mdb")
    (tmp_path / "validator-2").symlink_to(elsewhere)
    (tmp_path / "validator-1" / "db").symlink_to(elsewhere / "db")
    clear(tmp_path)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {*kept, "elsewhere/db/data.mdb"}


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"nodes": {}}',
        '{"network": {}, "nodes": {"../../home": ""}}',
        '{"network": {}, "nodes": {"validator-1/..": ""}}',
        '{"network": {}, "added": [{"name": "/", "role": "full"}]}',
        '{"network": {}, "added": [{"role": "full"}]}',
    ],
)
def test_a_file_that_is_no_plan_deletes_nothing(tmp_path: Path, text: str) -> None:
    write(tmp_path, "validator-1/node.log", "chain-spec.json")
    (tmp_path / "devnet.json").write_text(text)
    before = files_below(tmp_path)
    with pytest.raises(BadPlan, match="not a plan of a devnet"):
        clear(tmp_path)
    assert files_below(tmp_path) == before


def test_a_folder_without_a_plan_is_left_alone(tmp_path: Path) -> None:
    write(tmp_path, "validator-1/node.log", "chain-spec.json")
    before = files_below(tmp_path)
    clear(tmp_path)
    assert files_below(tmp_path) == before - {"chain-spec.json"}


def test_a_temporary_base_path_goes(tmp_path: Path) -> None:
    with temporary_base_path() as root:
        write(root, "validator-1/db/data.mdb")
    assert not root.exists()


def test_who_has_the_base_path_is_told_also_after_another_had_it(tmp_path: Path) -> None:
    (tmp_path / "devnet.lock").write_text("123456789\n")
    taken_twice = pytest.raises(BadPlan, match=f"runs there as process {os.getpid()};")
    with base_path_taken(tmp_path), taken_twice, base_path_taken(tmp_path):
        raise AssertionError("it was taken")
    with base_path_taken(tmp_path):
        pass
