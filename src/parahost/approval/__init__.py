"""Secondary checks as pure functions, which the runtime and the nodes share (D21, D22).

- :mod:`~.criteria`: who is drawn to check which candidate, and the proof of it
- :mod:`~.tranches`: whose checks a candidate needs by now, and whether it has them
"""
