"""Authorship: the account behind the block that executes."""

from __future__ import annotations

from parahost.runtime.babe import Babe
from parahost.runtime.errors import DisabledAuthor, RuntimeBug
from parahost.runtime.module import Module
from parahost.runtime.origin import AccountId
from parahost.runtime.pallets import Pallet
from parahost.runtime.session import Session
from parahost.runtime.slashing import Slashing
from parahost.runtime.storage import Overlay, Reader, StorageValue


class Authorship(Module, pallet=Pallet(6, "Authorship")):
    """The account behind the block that executes."""

    # Storage

    author_item = StorageValue("Author", AccountId)
    """While a block executes."""

    def __init__(self, babe: Babe, session: Session, slashing: Slashing) -> None:
        self._babe = babe
        self._session = session
        self._slashing = slashing

    # Initialisation

    def initialize(self, store: Overlay) -> None:
        """In the first block of an epoch the author is one of the queued validators: their
        session begins when the block ends (D1).

        :raises DisabledAuthor: when it has misbehaved, and may not author for a while.
        """
        begins = self._babe.begins_epoch(store)
        validators = self._session.queued(store) if begins else self._session.current(store)
        author = validators[self._babe.claim(store).authority_index]
        if author.keys.babe != self._babe.author(store):
            raise RuntimeBug("the authorities of BABE are not the validators of the session")
        if author.account in self.disabled(store):
            raise DisabledAuthor(author.account)
        self.author_item.put(store, author.account)

    # Routines

    def author(self, store: Reader) -> AccountId:
        """The author of the block that executes."""
        author = self.author_item.get(store)
        if author is None:
            raise RuntimeBug("no block is executing")
        return author

    def disabled(self, store: Reader) -> frozenset[AccountId]:
        """Whose blocks are refused: the disabled validators of the parent's session, at most f."""
        indices = self._slashing.disabled(store)
        validators = self._session.current(store) if indices else ()
        return frozenset(validators[index].account for index in indices)

    # Finalisation

    def finalize(self, store: Overlay) -> None:
        self.author_item.kill(store)
