"""How a command's failure is told: in one line what a user or operator can mend, in full a bug."""

from __future__ import annotations

import errno

from parahost.primitives.errors import InputError, OperationalError

FAILED = 1
"""The exit status for what may work another time."""
BAD_INPUT = 2
"""The exit status for input that cannot be used."""

_SHORT_OF = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE}
"""What the machine lacks at the moment; no fault of the file's name, or of what is in it."""


class BadInput(InputError):
    """What a command was given cannot be used; one line that says what, where, what to do."""


def explain(error: BaseException) -> str | None:
    """The line for an error that the user can mend; ``None`` when it is a bug.

    Of a group, the first such error speaks if all are.
    """
    if isinstance(error, BaseExceptionGroup):
        lines = [explain(inner) for inner in error.exceptions]
        return lines[0] if lines and None not in lines else None
    if isinstance(error, OperationalError):
        return str(error) or type(error).__name__
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, OSError) and error.errno in _SHORT_OF:
        return str(error.strerror)
    shown = getattr(error, "format_message", None)
    return " ".join(str(shown()).split()) if callable(shown) else None


def exit_status(error: BaseException) -> int:
    """For an error that ``explain`` has a line for. A group is bad input only as a whole: a new
    start may help against anything else."""
    if isinstance(error, BaseExceptionGroup):
        return min(exit_status(inner) for inner in error.exceptions)
    if isinstance(error, OperationalError):
        return BAD_INPUT if isinstance(error, InputError) else FAILED
    short = isinstance(error, OSError) and error.errno in _SHORT_OF
    return FAILED if short else BAD_INPUT
