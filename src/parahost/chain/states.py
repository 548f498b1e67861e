"""The state after any block that is recent, or, in an archive, after any block."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from itertools import islice

from parahost.chain.errors import DamagedDatabase, StateUnavailable, UnknownBlock
from parahost.chain.store import ChainStore
from parahost.primitives.basic import Hash
from parahost.primitives.limits import OUTGROWN_AFTER
from parahost.runtime.storage import State

_HELD = 64
"""States held in memory besides the base: more than forks are deep in practice."""
_COMMON = 2 * OUTGROWN_AFTER
"""So many blocks below a head, others mostly have branched off that somebody works on."""
_LONG_WAY = 2 * _COMMON
"""Changes of so many blocks are worth holding a state between."""
_SETTLED = 256
"""Changes that the base takes in with each block: 20 ms of the event loop's time, at most."""


class States:
    """Holds the base state and those used last; makes others again from deltas."""

    def __init__(self, store: ChainStore, genesis_hash: Hash, genesis: State) -> None:
        self._store = store
        self._genesis = (genesis_hash, genesis)
        base_hash = store.base_hash
        base = (
            genesis
            if base_hash == genesis_hash
            else State.from_raw(store.base_state(), genesis.trie.version)
        )
        self._base = (base_hash, base)
        self._unsettled: dict[bytes, bytes | None] = {}
        """What the base in memory still lacks of the one in the store."""
        self._held: OrderedDict[Hash, State] = OrderedDict()
        self._check(base_hash, base)

    def get(self, hash: Hash) -> State:
        """The state after a block.

        :raises UnknownBlock: when there is no such block.
        :raises StateUnavailable: when its state is neither held nor can be made again.
        """
        state = self._at_hand(hash)
        if state is None:
            state = self._make(hash)
            self.put(hash, state)
        return state

    def put(self, hash: Hash, state: State) -> None:
        """Hold a state that a block has just been executed to."""
        self._held[hash] = state
        if len(self._held) > _HELD:
            self._held.popitem(last=False)
        self._settle(_SETTLED)

    def drop(self, hash: Hash) -> None:
        """Forget the state of a block that was pruned."""
        self._held.pop(hash, None)

    def move_base(self, changes: Mapping[bytes, bytes | None]) -> None:
        """Follow the store, which has moved its base forward by these changes: by and by, or when
        the base is asked for."""
        self._unsettled.update(changes)
        self._base = (self._store.base_hash, self._base[1])

    def _settle(self, count: int) -> None:
        if not self._unsettled:
            return
        some = dict(islice(self._unsettled.items(), count))
        for key in some:
            del self._unsettled[key]
        hash, state = self._base
        self._base = (hash, state.apply(some))

    def _at_hand(self, hash: Hash) -> State | None:
        state = self._held.get(hash)
        if state is not None:
            self._held.move_to_end(hash)
            return state
        if hash == self._base[0]:
            self._settle(len(self._unsettled))
            return self._base[1]
        genesis_hash, genesis = self._genesis
        return genesis if hash == genesis_hash else None

    def _make(self, hash: Hash) -> State:
        """Go back to the nearest state at hand, then apply what was changed since. On a long way
        the state of a block shortly before is held too: heads have it in common."""
        way: list[tuple[Hash, Mapping[bytes, bytes | None]]] = []
        at, state = hash, None
        while state is None:
            header = self._store.header(at)
            if header is None:
                if at == hash:
                    raise UnknownBlock(hash)
                raise DamagedDatabase(f"the block {at.hex()} has no header, its child has one")
            delta = self._store.delta(at)
            if delta is None:
                raise self._absent(hash, at)
            way.append((at, delta))
            at = header.parent_hash
            state = self._at_hand(at)
        if len(way) > _LONG_WAY:
            state = self._after(state, way[_COMMON:])
            self.put(way[_COMMON][0], state)
            way = way[:_COMMON]
        return self._after(state, way)

    def _after(
        self, state: State, way: Sequence[tuple[Hash, Mapping[bytes, bytes | None]]]
    ) -> State:
        """The state after some blocks, of which the last comes first, with what each has changed.

        :raises DamagedDatabase: when it has not the root that the last one says.
        """
        merged: dict[bytes, bytes | None] = {}
        for _, delta in reversed(way):
            merged.update(delta)
        state = state.apply(merged)
        self._check(way[0][0], state)
        return state

    def _absent(self, hash: Hash, at: Hash) -> Exception:
        """Why the changes of block ``at``, on the way to ``hash``, are not there."""
        header, base = self._store.header(hash), self._store.header(self._base[0])
        assert header is not None
        if base is not None and header.number <= base.number:
            return StateUnavailable(hash, header.number)
        return DamagedDatabase(f"the changes of block {at.hex()} are absent")

    def _check(self, hash: Hash, state: State) -> None:
        header = self._store.header(hash)
        if header is None or header.state_root != state.root:
            raise DamagedDatabase(f"the state kept for block {hash.hex()} has not its root")
