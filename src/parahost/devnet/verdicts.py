"""What a devnet's nodes tell of checks, disputes and punishments, put together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from parahost.process.journal import JournalLine

KEPT_LINES = 4096
"""Lines that are remembered, so that what many nodes tell counts once."""
SHOWN_DISPUTES = 64
OPEN = "open"


@dataclass(slots=True)
class DisputePicture:
    """A dispute as blocks have it. Voters are validator indices, with commas between them."""

    valid: str
    invalid: str
    outcome: str = OPEN


@dataclass(frozen=True, slots=True)
class PunishmentPicture:
    """``lost`` and ``left`` in parts of a token."""

    validator: str
    misconduct: str
    lost: int
    left: int


@dataclass(slots=True)
class Verdicts:
    """Counted on all forks; what several of them do alike counts once."""

    accepted: int = 0
    tranches: Counter[int] = field(default_factory=Counter)
    """Checks by the tranche of the checker, of candidates that are accepted."""
    undelivered: int = 0
    """Checks that had been announced, and had not come when the candidate was accepted."""
    no_shows: int = 0
    """The most that one node has counted as late."""
    disputes: dict[str, DisputePicture] = field(default_factory=dict)
    punishments: list[PunishmentPicture] = field(default_factory=list)
    _late: Counter[str] = field(default_factory=Counter)
    _seen: dict[tuple[str, ...], None] = field(default_factory=dict)

    def hear(self, node: str, line: JournalLine) -> None:
        """A line of one node's journal.

        :raises KeyError: when it lacks a field of its event.
        :raises ValueError: when one is none.
        """
        if line.event == "approval.no_shows":
            self._late[node] += int(line.fields["late"])
            self.no_shows = max(self._late.values())
        elif line.event in _TELLING and self._is_news(line):
            _TELLING[line.event](self, line.fields)

    def _is_news(self, line: JournalLine) -> bool:
        deed = _deed(line)
        if deed in self._seen:
            return False
        self._seen[deed] = None
        if len(self._seen) > KEPT_LINES:
            del self._seen[next(iter(self._seen))]
        return True

    def _on_accepted(self, fields: dict[str, str]) -> None:
        assigned = [each for each in fields["assigned"].split(",") if each]
        approved = [each for each in fields["approved"].split(",") if each]
        self.tranches.update([int(each.partition("@")[2]) for each in assigned])
        self.accepted += 1
        self.undelivered += len(assigned) - len(approved)

    def _on_disputed(self, fields: dict[str, str]) -> None:
        picture = DisputePicture(fields["valid"], fields["invalid"])
        self.disputes.setdefault(fields["candidate"], picture)
        if len(self.disputes) > SHOWN_DISPUTES:
            del self.disputes[next(iter(self.disputes))]

    def _on_concluded(self, fields: dict[str, str]) -> None:
        self.disputes[fields["candidate"]] = DisputePicture(
            fields["valid"], fields["invalid"], fields.get("outcome", "nobody has a supermajority")
        )

    def _on_unavailable(self, fields: dict[str, str]) -> None:
        known = self.disputes.get(fields["candidate"])
        if known is not None and known.outcome == OPEN:
            known.outcome = "nobody had its data"

    def _on_punished(self, fields: dict[str, str]) -> None:
        who = fields.get("validator") or fields["account"]
        lost, left = int(fields["lost"]), int(fields["left"])
        self.punishments.append(PunishmentPicture(who, fields["misconduct"], lost, left))

    def report(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "accepted": self.accepted,
            "tranches": {str(tranche): self.tranches[tranche] for tranche in sorted(self.tranches)},
            "undelivered": self.undelivered,
            "no_shows": self.no_shows,
            "disputes": {
                candidate: {"valid": it.valid, "invalid": it.invalid, "outcome": it.outcome}
                for candidate, it in self.disputes.items()
            },
            "punishments": [
                {
                    "validator": it.validator,
                    "misconduct": it.misconduct,
                    "lost": it.lost,
                    "left": it.left,
                }
                for it in self.punishments
            ],
        }


def _deed(line: JournalLine) -> tuple[str, ...]:
    """What counts once, in whatever block. A candidate is accepted once, though its checks may have
    come in other numbers on another fork."""
    if line.event == "chain.accepted":
        return line.event, line.fields["candidate"]
    what = (value for name, value in line.fields.items() if name not in ("block", "number"))
    return line.event, *what


_TELLING = {
    "chain.accepted": Verdicts._on_accepted,
    "chain.disputed_remotely": Verdicts._on_disputed,
    "chain.remote_unavailable": Verdicts._on_unavailable,
    "chain.disputed": Verdicts._on_disputed,
    "chain.dispute_concluded": Verdicts._on_concluded,
    "chain.dispute_timed_out": Verdicts._on_concluded,
    "chain.punished": Verdicts._on_punished,
}
