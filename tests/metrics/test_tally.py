"""Events of the journal are counted, and go on to the journal."""

from __future__ import annotations

from parahost.metrics.meter import NodeMeter
from parahost.metrics.metric import Counter, Histogram
from parahost.metrics.tally import CountedJournal, EventTally, amount, by_field, labelled

MET = Counter("parahost_met_total", "People met.", ("kind",))
LATE = Counter("parahost_late_total", "Minutes lost.")
DELAY = Histogram("parahost_delay_minutes", "Delays.", bounds=(5.0,))


class Heard:
    """A journal that remembers."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, object]]] = []

    def record(self, event: str, **fields: object) -> None:
        self.events.append((event, fields))


def test_an_event_counts_for_all_that_it_is_declared_for() -> None:
    heard, meter = Heard(), NodeMeter()
    journal = CountedJournal(
        heard,
        meter,
        [
            EventTally("street.met", MET, by_field("who")),
            EventTally("street.seen", MET, labelled("seen")),
            EventTally("train.late", LATE, amounts=amount("minutes")),
            EventTally("train.late", DELAY, amounts=amount("minutes")),
        ],
    )
    journal.record("street.met", who="aunt", where=b"x")
    journal.record("street.seen")
    journal.record("train.late", minutes=7)
    journal.record("train.late", minutes=2)
    journal.record("nobody.counts", this=1)
    samples = meter.samples()
    assert samples.value("parahost_met_total", kind="aunt") == 1
    assert samples.value("parahost_met_total", kind="seen") == 1
    assert samples.value("parahost_late_total") == 9
    assert samples.value("parahost_delay_minutes_bucket", le="5") == 1
    assert heard.events[0] == ("street.met", {"who": "aunt", "where": b"x"})
    assert [event for event, _ in heard.events][-1] == "nobody.counts"


def test_an_event_that_several_metrics_hear_declares_them_all() -> None:
    meter = NodeMeter()
    CountedJournal(Heard(), meter, [EventTally("a.b", MET), EventTally("a.b", LATE)])
    assert meter.metrics == (MET, LATE)
