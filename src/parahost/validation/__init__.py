"""The validation-function host: runs the Wasm of any parachain, sandboxed and bounded.

::

    async with ValidationPool(Path("artifacts")) as pool:
        outcome = await pool.execute(code, params, ExecutionKind.BACKING)

``outcome`` is ``Returned``, ``Failed`` or ``Undecided``; see :mod:`parahost.ports.validation`. For
simulations there is :class:`InProcessHost`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from parahost.ports.validation import (
        ExecutionKind,
        ExecutionOutcome,
        Failed,
        Returned,
        Undecided,
    )
    from parahost.validation.inprocess import InProcessHost
    from parahost.validation.pool import Limits, ValidationPool

__all__ = [
    "ExecutionKind",
    "ExecutionOutcome",
    "Failed",
    "InProcessHost",
    "Limits",
    "Returned",
    "Undecided",
    "ValidationPool",
]

_HOMES = {
    "InProcessHost": "parahost.validation.inprocess",
    "Limits": "parahost.validation.pool",
    "ValidationPool": "parahost.validation.pool",
}


def __getattr__(name: str) -> object:
    """Import on first use: the worker process lives in this package, and starts faster without
    trio and the ports."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "parahost.ports.validation")), name)
