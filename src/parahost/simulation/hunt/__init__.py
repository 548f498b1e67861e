"""Swarm testing: each seed draws a network and its troubles, runs it, and is judged.

:mod:`.draw` makes a scenario of a seed, :mod:`.run` runs one seed, :mod:`.jobs` many on this
machine's cores and :mod:`.dask_jobs` on a cluster, :mod:`.shrink` makes a failing scenario small,
:mod:`.write` prints it to be kept and replayed, and :mod:`.report` tells what was found.
"""
