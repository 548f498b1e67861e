"""Finding a collator's class, and making an instance of it."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from parahost.parachains.collator import Collator
from parahost.primitives.errors import InputError


class BadCollator(InputError):
    """There is no such collator, or it does not take these arguments. ``key`` is the part of a
    parachain's TOML file that is to blame: ``collator`` or ``args``."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(reason)
        self.key = key
        self.reason = reason


def load_collator(
    reference: str, args: Mapping[str, Any], search_path: Path | None = None
) -> Collator:
    """An instance of the class that ``module:Class`` names, given ``args`` by name.

    ``search_path`` is a directory to look for the module in, before Python's own.

    :raises BadCollator: one line that says what is wrong.
    """
    cls = _find_class(reference, search_path)
    try:
        inspect.signature(cls).bind(**args)
    except TypeError as error:
        taken = ", ".join(inspect.signature(cls).parameters) or "none"
        raise BadCollator("args", f"{error}; {reference} takes: {taken}") from error
    try:
        return cls(**args)
    except (TypeError, ValueError) as error:
        raise BadCollator("args", str(error)) from error


def source_files(reference: str, search_path: Path | None = None) -> list[Path]:
    """The files that a collator's code is in: its module's, and those that it imports from beside
    it, as their text says; ascending. What is no Python ends there.

    :raises BadCollator: when there is no such module.
    """
    module = reference.partition(":")[0]
    first = None if search_path is None else _file_below(search_path, module)
    if first is None or search_path is None:
        try:
            spec = find_spec(module)
        except (ImportError, ValueError):
            spec = None
        if spec is None or spec.origin is None:
            raise BadCollator("collator", f"there is no module {module}")
        return [Path(spec.origin)]
    found, left = {first}, [first]
    while left:
        news = set(_imported(left.pop(), search_path)) - found
        found |= news
        left += news
    return sorted(found)


def _imported(file: Path, root: Path) -> Iterator[Path]:
    """The files below a folder that a file imports."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, ValueError, SyntaxError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [(root, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = root if not node.level else file.parents[node.level - 1]
            inside = [f"{node.module}.{alias.name}".removeprefix("None.") for alias in node.names]
            names = [(base, name) for name in (*inside, *filter(None, [node.module]))]
        else:
            continue
        for base, name in names:
            if (path := _file_below(base, name)) is not None:
                yield path


def _file_below(folder: Path, module: str) -> Path | None:
    path = folder.joinpath(*module.split("."))
    candidates = (path.with_name(path.name + ".py"), path / "__init__.py")
    return next((each for each in candidates if each.is_file()), None)


def _find_class(reference: str, search_path: Path | None) -> type[Collator]:
    module_name, colon, class_name = reference.partition(":")
    if not (colon and class_name.isidentifier() and _is_dotted(module_name)):
        raise BadCollator("collator", f"{reference!r} is not of the form module:Class")
    if search_path is not None:
        _look_first_in(search_path, module_name)
    try:
        module = import_module(module_name)
    except Exception as error:  # whatever the author's module raises
        raise BadCollator("collator", f"cannot import {module_name}: {error!r}") from error
    cls = getattr(module, class_name, None)
    if cls is None:
        raise BadCollator("collator", f"module {module_name} has no {class_name}")
    if not (isinstance(cls, type) and issubclass(cls, Collator)):
        raise BadCollator(
            "collator", f"{reference} does not derive from parahost.parachains.Collator"
        )
    if missing := sorted(getattr(cls, "__abstractmethods__", ())):
        raise BadCollator("collator", f"{reference} does not define {', '.join(missing)}")
    return cls


def _look_first_in(folder: Path, module: str) -> None:
    """A module of that name in this folder is what is meant, not what another parachain's folder
    has under the same name."""
    if sys.path[:1] != [str(folder)]:
        sys.path[:] = [str(folder), *(place for place in sys.path if place != str(folder))]
    file, known = _file_below(folder, module), sys.modules.get(module)
    if file is None or known is None or known.__file__ == str(file):
        return
    top = module.partition(".")[0]
    if top != __name__.partition(".")[0]:
        for name in [each for each in sys.modules if each.partition(".")[0] == top]:
            del sys.modules[name]


def _is_dotted(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))
