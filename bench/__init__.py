"""Benchmarks: how long the parts take. ``python -m bench.bench_erasure``; ``make bench`` runs all.

Each prints one figure a line: what, value, unit, and the target where the project has set one. The
figures and what they mean are in ``docs/PERFORMANCE.md``. Ratios are measured in turns in one run,
so that they say something on a busy machine too.

Two of them (``bench_block``, ``bench_inherent``) build their chains with the builders of the
runtime's tests, ``tests.runtime``: run them from the repository's root.
"""
