"""Who validated in sessions that are over. They hold the data of what may be disputed still."""

from __future__ import annotations

from collections.abc import Iterator

from parahost.node.leaf import ActiveLeaf
from parahost.primitives.basic import U32, SessionIndex, ValidatorId
from parahost.runtime import api
from parahost.runtime.session import SESSIONS_KEPT


class PastValidators:
    """The validators of the last :data:`SESSIONS_KEPT` sessions. A leaf is read only for sessions
    that are not known yet: after a start, then at each change of session."""

    def __init__(self) -> None:
        self._sessions: dict[SessionIndex, tuple[ValidatorId, ...]] = {}

    def note(self, leaf: ActiveLeaf) -> None:
        """Take account of a leaf's session, and of those before it that it knows."""
        now = leaf.session.signing.session_index
        if now in self._sessions:
            return
        first = max(now - SESSIONS_KEPT, 0)
        for index in (SessionIndex(U32(index)) for index in range(first, now)):
            if index not in self._sessions:
                info = leaf.read(api.session_info, index)
                self._sessions[index] = () if info is None else info.validators
        self._sessions[now] = leaf.session.validators
        for over in [index for index in self._sessions if index < first]:
            del self._sessions[over]

    def __iter__(self) -> Iterator[ValidatorId]:
        """The latest session's first; one comes as often as it was there."""
        for index in sorted(self._sessions, reverse=True):
            yield from self._sessions[index]
