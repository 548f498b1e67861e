"""The files that a collator's code is in."""

from __future__ import annotations

from pathlib import Path

import pytest

from parahost.parachains import BadCollator
from parahost.parachains.loading import source_files


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def names(root: Path, reference: str) -> list[str]:
    return [str(path.relative_to(root)) for path in source_files(reference, root)]


def test_a_module_and_what_it_imports_from_beside_it(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "counter.py": "import json, steps\nfrom pack import part\nimport trio",
            "steps.py": "from limits import MOST",
            "limits.py": "import counter",
            "pack/__init__.py": "from .inner import thing",
            "pack/inner.py": "from . import other\nfrom ..limits import MOST",
            "pack/other.py": "",
            "pack/part.py": "",
            "pack/unused.py": "",
            "test_counter.py": "import counter",
            ".venv/lib/trio.py": "",
        },
    )
    assert names(tmp_path, "counter:Counter") == [
        "counter.py",
        "limits.py",
        "pack/__init__.py",
        "pack/inner.py",
        "pack/other.py",
        "pack/part.py",
        "steps.py",
    ]


def test_a_package(tmp_path: Path) -> None:
    write(tmp_path, {"pack/__init__.py": "", "pack/main.py": "from .help import x"})
    write(tmp_path, {"pack/help.py": ""})
    assert names(tmp_path, "pack.main:Counter") == ["pack/help.py", "pack/main.py"]


def test_what_is_no_python_is_a_file_all_the_same(tmp_path: Path) -> None:
    write(tmp_path, {"counter.py": "import odd", "odd.py": "import ((", "more.py": ""})
    assert names(tmp_path, "counter:Counter") == ["counter.py", "odd.py"]
    (tmp_path / "odd.py").write_bytes(b"\xff\0")
    assert names(tmp_path, "counter:Counter") == ["counter.py", "odd.py"]


def test_an_installed_module_is_its_own_file(tmp_path: Path) -> None:
    reference = "parahost.parachains.adder.collator:AdderCollator"
    for search_path in (None, tmp_path):
        (file,) = source_files(reference, search_path)
        assert file.parts[-2:] == ("adder", "collator.py")


def test_a_module_that_is_nowhere_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadCollator, match="there is no module nowhere_at_all"):
        source_files("nowhere_at_all:Counter", tmp_path)
    with pytest.raises(BadCollator, match=r"there is no module nowhere\.at\.all"):
        source_files("nowhere.at.all:Counter", tmp_path)
