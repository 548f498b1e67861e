"""What should not happen on a connection, and did: logged where it happens, and counted.

Nothing that happens on one connection leaves it. Its end is an event; any other exception, be it
of this room or of a handler that the node gave it, closes that connection only. One kind passes:
a :class:`DatabaseError` is no peer's doing, and the node cannot go on without its disk.
"""

from __future__ import annotations

import logging
from collections import Counter

from parahost.ports.database import DatabaseError
from parahost.primitives.basic import PeerId

log = logging.getLogger(__name__)


class Incidents:
    """Of one node since it started."""

    def __init__(self) -> None:
        self.failures: Counter[str] = Counter()
        """Exceptions that were kept to their connection, or to one step that belongs to none, by
        place or protocol."""
        self.too_large: Counter[str] = Counter()
        """Messages that were not sent because no peer would take them, by protocol."""

    def failed(self, where: str, peer: PeerId | None, error: Exception) -> None:
        """Note an exception; whoever calls this then closes the connection.

        :raises DatabaseError: when it is one.
        """
        _let_pass(error)
        self.failures[where] += 1
        log.error(
            "%s failed (%d times so far), and the connection with %s is closed",
            where,
            self.failures[where],
            peer or "a stranger",
            exc_info=error,
        )

    def skipped(self, step: str, error: Exception) -> None:
        """Note an exception in a step that belongs to no connection; whoever calls this goes on.

        :raises DatabaseError: when it is one.
        """
        _let_pass(error)
        self.failures[step] += 1
        log.error("%s failed (%d times so far)", step, self.failures[step], exc_info=error)

    def dropped(self, protocol: str, size: int, allowed: int) -> None:
        """Note a message, of so many bytes, that was not sent because it is too large."""
        self.too_large[protocol] += 1
        log.error(
            "%s: a message of %d bytes, where %d are allowed, is not sent (%d times so far)",
            protocol,
            size,
            allowed,
            self.too_large[protocol],
        )


def _let_pass(error: Exception) -> None:
    if isinstance(error, ExceptionGroup):
        for one in error.exceptions:
            _let_pass(one)
    elif isinstance(error, DatabaseError):
        raise error
