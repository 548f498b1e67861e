"""What a node tells about itself: one structured line per event."""

from __future__ import annotations

from typing import Protocol


class Journal(Protocol):
    """Takes events. Written to a log file by a process, to the trace by a simulation.

    ``event`` is a dotted name (``backing.seconded``); fields have fixed names, so that one search
    tells a candidate's life: ``candidate``, ``relay_parent``, ``block`` (hashes as bytes),
    ``para``, ``peer``, ``validator``, ``number``, ``reason``. Values are integers, floats, strings
    and bytes.
    """

    def record(self, event: str, **fields: object) -> None: ...
