"""Swarm testing: each seed draws a network and its troubles, which are run and judged.

:mod:`.draw` makes a scenario of a seed, :mod:`.troubles` what befalls it. :mod:`.trial` runs one,
:mod:`.processes` many on this machine's cores, :mod:`.dask_jobs` on a cluster. :mod:`.shrink` makes
a failing scenario small, :mod:`.source` writes it down, and :mod:`.report` sums up.
"""
