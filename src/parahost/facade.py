"""Packages that show what is theirs at one place, and import it when it is used first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module


def on_first_use(
    package: str, names: Sequence[str], modules: Sequence[str]
) -> Callable[[str], object]:
    """The ``__getattr__`` of a package whose ``names`` stand in its ``modules``. These are looked
    through in their order: those that import little stand first, so that who needs one of them does
    not pay for the others."""

    def find(name: str) -> object:
        if name in names:
            for module in modules:
                found = vars(import_module(module if "." in module else f"{package}.{module}"))
                if name in found:
                    return found[name]
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return find
