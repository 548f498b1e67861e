"""Authorship: the account behind the block that executes."""

from __future__ import annotations

from parahost.primitives.basic import H256
from parahost.runtime.babe import Babe
from parahost.runtime.errors import RuntimeBug
from parahost.runtime.origin import AccountId
from parahost.runtime.session import BABE_KEY, Session
from parahost.runtime.storage import Module, Overlay, Reader, StorageValue


class Authorship(Module, pallet="Authorship"):
    # Storage

    author_item = StorageValue("Author", AccountId)
    """While a block executes."""

    def __init__(self, babe: Babe, session: Session) -> None:
        self._babe = babe
        self._session = session

    # Initialisation

    def initialize(self, store: Overlay) -> None:
        owner = self._session.owner_of(store, BABE_KEY, self._babe.author(store))
        if owner is None:
            raise RuntimeBug("an authority of BABE has no account")
        self.author_item.put(store, owner)

    # Routines

    def author(self, store: Reader) -> AccountId:
        """The author of the block that executes."""
        author = self.author_item.get(store)
        if author is None:
            raise RuntimeBug("no block is executing")
        return author

    def vrf_output(self, store: Reader) -> H256:
        """The VRF output with which the author claimed the slot (D20): what secondary checkers
        are drawn from."""
        return self._babe.claim(store).vrf_output

    # Finalisation

    def finalize(self, store: Overlay) -> None:
        self.author_item.kill(store)
