"""For how long validators do not hear collators that delivered something invalid (A82, D17).

An author makes mistakes, and one block must not silence a para for long; who goes on is silenced
for longer each time. Bans survive a restart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from parahost.ports import Batch, Database
from parahost.primitives.basic import H256, U32, U64, CollatorId
from parahost.primitives.scale import ScaleDecodeError, decode, encode

FIRST_BAN_S: Final = 10.0
LONGEST_BAN_S: Final = 600.0
"""Each ban is twice as long as the one before, up to this."""
FORGOTTEN_AFTER_S: Final = 600.0
"""So long after a ban's end the next offence counts as the first."""
MAX_BANS: Final = 1024
"""Collators whose bans are kept. The one that ended first, or will, gives way."""

TABLE = "collator-bans"
"""Collator's key (32 bytes) -> ``Ban``."""


@dataclass(frozen=True, slots=True)
class Ban:
    """``until_ms`` since the Unix epoch; ``offences`` so far, each within reach of the last."""

    until_ms: U64
    offences: U32


class CollatorBans:
    """The bans, in memory and on disk. Times are in seconds since the Unix epoch."""

    def __init__(self, database: Database, first_ban_s: float = FIRST_BAN_S) -> None:
        """:raises DatabaseError: when the table cannot be read."""
        self._database = database
        self._first_ban_s = first_ban_s
        self._bans: dict[CollatorId, Ban] = {}
        for key, form in database.scan(TABLE):
            try:
                self._bans[CollatorId(H256(key))] = decode(Ban, form)
            except ScaleDecodeError:
                continue  # an earlier version's; a ban is not worth more

    def add(self, collator: CollatorId, now: float) -> None:
        """Ban it.

        :raises DatabaseError: when it could not be stored; it is in force until the next start.
        """
        before = self._bans.get(collator)
        offences = 1
        if before is not None and now < before.until_ms / 1000 + FORGOTTEN_AFTER_S:
            offences = before.offences + 1
        until_s = now + ban_s(offences, self._first_ban_s)
        ban = Ban(U64(int(until_s * 1000)), U32(offences))
        self._bans[collator] = ban
        batch = Batch()
        batch.put(TABLE, bytes(collator), encode(ban))
        if len(self._bans) > MAX_BANS:
            first = min(self._bans, key=lambda each: self._bans[each].until_ms)
            del self._bans[first]
            batch.delete(TABLE, bytes(first))
        self._database.write(batch, durable=False)

    def left_s(self, collator: CollatorId, now: float) -> float:
        """How much longer it is banned; 0 when it is not. A clock that was set back does not make
        it more than the longest ban."""
        ban = self._bans.get(collator)
        if ban is None:
            return 0.0
        return min(max(ban.until_ms / 1000 - now, 0.0), max(LONGEST_BAN_S, self._first_ban_s))


def ban_s(offences: int, first_ban_s: float) -> float:
    """How long the ban is for the offence of that number, from 1."""
    longest = max(LONGEST_BAN_S, first_ban_s)
    return float(min(first_ban_s * 2 ** min(offences - 1, 32), longest))
