"""Two roots of errors: what goes wrong in a program without a bug, and everything else.

Node.js calls the first *operational*: a user's input, a port, a disk. Whoever catches one at the
top tells its one line. Any other exception is a bug of ours and is told in full, with its
traceback. What a peer or a block does wrong has types of its own (``PeerError``, ``InvalidBlock``
and the like): rooms deal with those, and one that gets as far as the command line is our bug, too.
"""

from __future__ import annotations


class OperationalError(Exception):
    """Not a bug. ``str()`` is one line: what, where, and what to do if that is not plain. The same
    command may work another time."""


class InputError(OperationalError, ValueError):
    """What the user gave or has on disk cannot be used: the same command fails again until that is
    changed."""
