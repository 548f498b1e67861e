"""Dataclasses for values, of which a node makes thousands a second.

To mypy this is ``dataclasses.dataclass``, so with ``frozen=True`` nobody assigns to a field: the
whole house is checked for that. At run time nothing more is paid for it. The standard library's
frozen classes set each field by a call of ``object.__setattr__``, and with hot types that is a
twentieth of what a simulation takes. Equality and hash are those of a frozen dataclass.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(*, frozen: bool = False, eq: bool = True, **options: Any) -> Any:
        """``dataclasses.dataclass`` with these options; ``frozen`` is left to mypy."""
        return dataclasses.dataclass(eq=eq, unsafe_hash=frozen and eq, **options)


__all__ = ["dataclass"]
