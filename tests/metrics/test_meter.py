"""A meter counts what is declared, and shows what others keep."""

from __future__ import annotations

import pytest

from parahost.metrics.meter import MAX_SERIES, NodeMeter, UndeclaredMetric
from parahost.metrics.metric import Counter, Gauge, Histogram

SENT = Counter("parahost_sent_total", "Letters sent.", ("to",), series=(("aunt",),))
OPEN = Gauge("parahost_open", "Letters that are open.")
WEIGHT = Histogram("parahost_weight_grams", "Weight of a letter.", bounds=(20.0, 50.0))


def test_what_nobody_has_counted_is_shown_as_nothing() -> None:
    samples = NodeMeter(SENT, OPEN, WEIGHT).samples()
    assert samples.value("parahost_sent_total", to="aunt") == 0
    assert samples.value("parahost_sent_total", to="uncle") is None
    assert samples.value("parahost_open") == 0
    assert samples.value("parahost_weight_grams_count") == 0


def test_series_of_a_counter_are_apart_and_add_up() -> None:
    meter = NodeMeter(SENT)
    meter.count(SENT, "aunt")
    meter.count(SENT, "uncle", by=2.5)
    meter.count(SENT, "uncle")
    samples = meter.samples()
    assert samples.value("parahost_sent_total", to="uncle") == 3.5
    assert samples.total("parahost_sent_total") == 4.5
    assert samples.total("parahost_sent_total", to="aunt") == 1
    assert samples.total("parahost_sent_total", to="nobody") == 0


def test_a_bucket_holds_all_that_is_at_most_its_bound() -> None:
    meter = NodeMeter(WEIGHT)
    for grams in (1, 20, 21, 50, 51):
        meter.observe(WEIGHT, grams)
    bucket = {
        labels["le"]: value
        for labels, value in meter.samples().matching("parahost_weight_grams_bucket")
    }
    assert bucket == {"20": 2, "50": 4, "+Inf": 5}
    assert meter.samples().value("parahost_weight_grams_sum") == 143
    assert meter.samples().value("parahost_weight_grams_count") == 5


def test_a_source_is_asked_whenever_somebody_looks() -> None:
    letters = [1, 2]
    meter = NodeMeter(OPEN)
    meter.read_from(lambda: [OPEN.of(len(letters))])
    assert meter.samples().value("parahost_open") == 2
    letters.append(3)
    assert meter.samples().value("parahost_open") == 3


def test_what_is_not_declared_is_a_bug() -> None:
    meter = NodeMeter()
    with pytest.raises(UndeclaredMetric):
        meter.count(SENT, "aunt")
    meter.read_from(lambda: [OPEN.of(1)])
    with pytest.raises(UndeclaredMetric):
        meter.samples()


def test_one_name_has_one_meaning() -> None:
    meter = NodeMeter(OPEN)
    meter.declare(OPEN)
    with pytest.raises(AssertionError, match="parahost_open"):
        meter.declare(Gauge("parahost_open", "Doors that are open."))


def test_there_are_never_more_series_than_allowed() -> None:
    meter = NodeMeter(SENT)
    for number in range(MAX_SERIES + 100):
        meter.count(SENT, str(number))
    samples = meter.samples()
    assert samples.value("parahost_sent_total", to="other") == 100
    assert samples.total("parahost_sent_total") == MAX_SERIES + 100
    assert len(samples.by_series) <= MAX_SERIES + 2
