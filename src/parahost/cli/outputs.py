"""Files that a command writes at its end: that they can be written is known at its beginning."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

from parahost.cli.failure import BadInput


def open_output(option: str, path: Path) -> TextIO:
    """An empty file, for what the option asks for.

    :raises BadInput: when it cannot be written.
    """
    try:
        return path.open("w", encoding="utf-8")
    except IsADirectoryError as why:
        raise BadInput(f"{option} {path}: this is a folder; name a file in it") from why
    except OSError as why:
        if not path.parent.is_dir():
            raise BadInput(f"{option} {path}: there is no folder {path.parent}") from why
        raise BadInput(f"{option} {path}: cannot be written: {why.strerror}") from why
