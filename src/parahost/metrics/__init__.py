"""Numbers by which an operator sees that a node is alive and busy, in Prometheus' terms.

A metric is declared beside what it tells of, once, with its name and meaning. A node's
:class:`~parahost.metrics.meter.NodeMeter` holds what is counted; what somebody keeps anyway
is read when somebody looks, or counted from the journal. Nothing here reaches the world: who serves
the numbers, or waits for one, takes :class:`~parahost.metrics.samples.Samples` from the meter.
"""
