"""Why the pool does not take a transaction against which nothing else is said."""

from __future__ import annotations

from parahost.primitives.basic import H256, Hash


class PoolRefused(Exception):
    """The pool does not take the transaction; it may be valid."""


class AlreadyWaiting(PoolRefused):
    """The transaction is in the pool."""


class PlaceTaken(PoolRefused):
    """Another transaction has the same signer and nonce; to replace it takes a tip of
    ``least_tip``. Or another report of the same deed waits, which cannot be replaced."""

    def __init__(self, other: Hash, least_tip: int | None = None) -> None:
        hint = "" if least_tip is None else f"; to replace it takes a tip of {least_tip}"
        super().__init__(f"the transaction {other.hex()} has the same place{hint}")
        self.other = other
        self.least_tip = least_tip


class PoolFull(PoolRefused):
    """There is no room, and nothing that is worth less; try again later, or with a tip."""


class TooManyOfSigner(PoolRefused):
    """The signer has as many transactions here as one may have, or as many that wait for others."""

    def __init__(self, signer: H256, limit: int) -> None:
        super().__init__(f"{signer.hex()} has {limit} transactions here, and may have no more")
        self.signer = signer
        self.limit = limit


class TooExpensive(PoolRefused):
    """The signer cannot pay for it beside what waits here already."""

    def __init__(self, signer: H256, fees: int, funds: int) -> None:
        super().__init__(f"{signer.hex()} would owe {fees} together and has {funds}")
        self.signer = signer
        self.fees = fees
        self.funds = funds


class Banned(PoolRefused):
    """The node's operator has taken it out, and lets it in again after block ``until``."""

    def __init__(self, transaction: Hash, until: int) -> None:
        super().__init__(f"the transaction {transaction.hex()} is banned until block #{until}")
        self.transaction = transaction
        self.until = until


class TooLate(PoolRefused):
    """It was valid a few blocks ago: whoever passed it on did so in good faith."""


class TooLarge(PoolRefused):
    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"{size} bytes are over the limit of {limit}")
        self.size = size
        self.limit = limit
