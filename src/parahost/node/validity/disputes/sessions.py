"""Which sessions are judged on the forks that this node works on."""

from __future__ import annotations

from collections.abc import Collection

from parahost.node.leaf import ActiveLeaf
from parahost.primitives.basic import U32, Hash, SessionIndex
from parahost.primitives.runtime_api import SessionInfo
from parahost.runtime import api


class JudgedSessions:
    """The sessions whose candidates can be disputed on some active leaf."""

    def __init__(self) -> None:
        self.infos: dict[SessionIndex, SessionInfo] = {}
        self._earliest: dict[Hash, SessionIndex] = {}
        """By leaf: the first session of which something is judged there."""

    def learn(self, leaf: ActiveLeaf) -> list[SessionInfo]:
        """The sessions that are judged on this leaf and were not known yet, ascending."""
        earliest = leaf.read(api.earliest_judged_session)
        self._earliest[leaf.hash] = earliest
        found = []
        for index in range(earliest, leaf.session.signing.session_index + 1):
            session = SessionIndex(U32(index))
            info = None if session in self.infos else leaf.read(api.session_info, session)
            if info is not None:
                self.infos[session] = info
                found.append(info)
        return found

    def forget(self, leaves: Collection[Hash]) -> SessionIndex:
        """Forget what is judged on none of the ``leaves``, of which there is one at least; gives
        the first session that is judged."""
        known = self._earliest
        self._earliest = {block: first for block, first in known.items() if block in leaves}
        first = min(self._earliest.values())
        for session in [session for session in self.infos if session < first]:
            del self.infos[session]
        return first
