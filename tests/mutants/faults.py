"""A planted fault: read from the list, put into a copy of the source, taken out again."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


class BadFault(Exception):
    """An entry of the list does not fit the source any more; says which and why."""

    def __init__(self, fault: str, why: str) -> None:
        super().__init__(f"{fault}: {why}")
        self.fault, self.why = fault, why


@dataclass(frozen=True, slots=True)
class Fault:
    """``was`` becomes ``becomes`` in ``file``; ``killed_by`` are tests as pytest names them."""

    name: str
    file: str
    was: str
    becomes: str
    killed_by: tuple[str, ...]

    def line(self, root: Path) -> int:
        """The number of the line where the fault goes.

        :raises BadFault: when the text does not stand in the file exactly once.
        """
        text = self._text(root)
        if text.count(self.was) != 1:
            raise BadFault(self.name, f"{self.file} has its text {text.count(self.was)} times")
        return text[: text.index(self.was)].count("\n") + 1

    @contextmanager
    def planted(self, root: Path) -> Iterator[None]:
        """The source below ``root`` with the fault in it.

        :raises BadFault: see :meth:`line`.
        """
        self.line(root)
        sound = self._text(root)
        path = root / self.file
        _write(path, sound.replace(self.was, self.becomes))
        try:
            yield
        finally:
            _write(path, sound)

    def _text(self, root: Path) -> str:
        try:
            return (root / self.file).read_text()
        except FileNotFoundError:
            raise BadFault(self.name, f"there is no file {self.file}") from None


def _write(path: Path, text: str) -> None:
    """And forget what Python and pytest have compiled of the file: that goes by its size and by the
    second of its change, which may be the same."""
    path.write_text(text)
    for compiled in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
        compiled.unlink()


def read_faults(path: Path) -> tuple[Fault, ...]:
    """:raises BadFault: when an entry is not of the form, or two have the same name."""
    faults: dict[str, Fault] = {}
    for entry in tomllib.loads(path.read_text())["fault"]:
        try:
            fault = Fault(**{**entry, "killed_by": tuple(entry["killed_by"])})
        except (TypeError, KeyError) as error:
            raise BadFault(str(entry.get("name")), f"is not of the form: {error}") from error
        if fault.name in faults:
            raise BadFault(fault.name, "stands in the list twice")
        if fault.was == fault.becomes or not fault.killed_by:
            raise BadFault(fault.name, "changes nothing, or names no test")
        faults[fault.name] = fault
    return tuple(faults.values())
