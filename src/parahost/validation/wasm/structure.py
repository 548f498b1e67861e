"""What a module may be made of.

Compilers spend time and memory by the number of things, and a thing costs a byte or two, or almost
nothing where the code is compressed. The limits hold while a module is read, before anything is
validated or compiled. They are far beyond what is known of published runtimes (docs/VALIDATION.md,
Limits), and the same on every machine.
"""

from __future__ import annotations

from enum import Enum

from parahost.validation.errors import StructureExceeded

MAX_TABLE_ELEMENTS = 1_000_000
"""Of all tables together at the start; each may grow as far."""


class CountedPart(Enum):
    """What is counted, and the most that there may be of it."""

    TYPES = "types", 10_000
    TYPE_VALUES = "parameters or results of a type", 1_000
    IMPORTS = "imports", 1_000
    FUNCTIONS = "functions", 100_000
    TABLES = "tables", 100
    TABLE_ELEMENTS = "table elements", MAX_TABLE_ELEMENTS
    GLOBALS = "globals", 10_000
    EXPORTS = "exports", 10_000
    ELEMENT_SEGMENTS = "element segments", 10_000
    DATA_SEGMENTS = "data segments", 100_000
    BODY_SIZE = "bytes of a function", 2 * 1024 * 1024
    LOCALS = "locals of all functions", 1_000_000

    @property
    def limit(self) -> int:
        return self.value[1]


def bound(part: CountedPart, count: int) -> int:
    """The count.

    :raises StructureExceeded: when it is more than may be.
    """
    what, limit = part.value
    if count > limit:
        raise StructureExceeded(what, count, limit)
    return count
