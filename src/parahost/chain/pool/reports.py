"""Reports of equivocations in the pool: free, so there are few, and one of each deed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from parahost.chain.pool.errors import PlaceTaken, PoolFull, TooLarge
from parahost.primitives.basic import H256, Hash
from parahost.primitives.header import Extrinsic
from parahost.primitives.limits import KIB, MAX_HEADER_BYTES
from parahost.runtime.errors import InvalidTransaction

MAX_POOLED_REPORTS: Final = 32
MAX_POOLED_REPORT_BYTES: Final = 2 * MAX_HEADER_BYTES + 1 * KIB
"""The two headers that prove an equivocation, and signatures."""


@dataclass(frozen=True, slots=True)
class EquivocationReport:
    """``expires``: the number of the last block that may include it."""

    hash: Hash
    extrinsic: Extrinsic
    expires: int


class Reports:
    def __init__(self) -> None:
        self._by_deed: dict[H256, EquivocationReport] = {}

    def __len__(self) -> int:
        return len(self._by_deed)

    def __iter__(self) -> Iterator[EquivocationReport]:
        return iter(self._by_deed.values())

    def get(self, hash: Hash) -> EquivocationReport | None:
        return next((report for report in self if report.hash == hash), None)

    def check_room(self, extrinsic: Extrinsic) -> None:
        """Before it is judged.

        :raises TooLarge: when it is larger than any report.
        :raises PoolFull: when so many wait already.
        """
        if len(extrinsic) > MAX_POOLED_REPORT_BYTES:
            raise TooLarge(len(extrinsic), MAX_POOLED_REPORT_BYTES)
        if len(self._by_deed) >= MAX_POOLED_REPORTS:
            raise PoolFull(f"{MAX_POOLED_REPORTS} reports wait already")

    def put(self, deed: H256, report: EquivocationReport) -> None:
        """:raises PlaceTaken: when another report of the deed waits."""
        if (other := self._by_deed.get(deed)) is not None:
            raise PlaceTaken(other.hash)
        self._by_deed[deed] = report

    def remove(self, hash: Hash) -> None:
        self._by_deed = {
            deed: report for deed, report in self._by_deed.items() if report.hash != hash
        }

    def judge_again(self, number: int, judge: Callable[[Extrinsic], object]) -> None:
        """After block ``number``, keep those that ``judge`` finds valid."""
        for report in list(self):
            try:
                judge(report.extrinsic)
            except InvalidTransaction:
                self.remove(report.hash)
            else:
                if report.expires <= number:
                    self.remove(report.hash)
