"""The text that a node's port tells; Prometheus' own client library reads it too."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from parahost.metrics.meter import NodeMeter
from parahost.metrics.metric import Counter, Gauge, Histogram
from parahost.metrics.text import BadExposition, exposition, read_exposition

DONE = Counter("polkadot_pvf_execute_finished", "Jobs done, of any \\ kind.\nTwo lines.", ("why",))
LAG = Gauge("parahost_lag", "Blocks.")
TIME = Histogram("parahost_time_seconds", "Time.", ("of",), bounds=(0.5, 1.0))

VALUES = st.floats(allow_nan=False, allow_infinity=False)


def test_the_text_of_a_meter() -> None:
    meter = NodeMeter(LAG, TIME)
    meter.read_from(lambda: [LAG.of(0.25)])
    meter.observe(TIME, 0.75, "x")
    assert exposition(meter).splitlines() == [
        "# HELP parahost_lag Blocks.",
        "# TYPE parahost_lag gauge",
        "parahost_lag 0.25",
        "# HELP parahost_time_seconds Time.",
        "# TYPE parahost_time_seconds histogram",
        'parahost_time_seconds_bucket{le="0.5",of="x"} 0',
        'parahost_time_seconds_bucket{le="1",of="x"} 1',
        'parahost_time_seconds_bucket{le="+Inf",of="x"} 1',
        'parahost_time_seconds_sum{of="x"} 0.75',
        'parahost_time_seconds_count{of="x"} 1',
    ]


@given(st.text(max_size=20), VALUES, VALUES)
def test_reading_gives_what_was_written_and_the_library_reads_the_same(
    label: str, counted: float, now: float
) -> None:
    meter = NodeMeter(DONE, LAG, TIME)
    meter.read_from(lambda: [LAG.of(now)])
    meter.count(DONE, label, by=abs(counted))
    meter.observe(TIME, counted, label)
    text = exposition(meter)
    assert read_exposition(text) == meter.samples()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert families["polkadot_pvf_execute_finished"].type == "counter"
    assert families["polkadot_pvf_execute_finished"].documentation == DONE.help
    (done,) = families["polkadot_pvf_execute_finished"].samples
    assert (done.labels, done.value) == ({"why": label}, abs(counted))
    assert families["parahost_lag"].samples[0].value == now
    assert [sample.value for sample in families["parahost_time_seconds"].samples][-2:] == [
        counted,
        1.0,
    ]


@pytest.mark.parametrize("line", ["", "   ", "# TYPE x y", "# anything"])
def test_lines_that_tell_nothing(line: str) -> None:
    assert read_exposition(line).names() == frozenset()


@pytest.mark.parametrize("line", ["x", "x{y} 1", 'x{y="1" 1', 'x{y="1"z} 1', "{} 1", "1 1", "x y"])
def test_a_line_in_another_format(line: str) -> None:
    with pytest.raises(BadExposition):
        read_exposition(line)
