"""Which errors are the user's to mend, and the one line that tells of them."""

from __future__ import annotations

import sys

BAD_INPUT = 2
"""The exit status for input that cannot be used."""

_EXPECTED = (
    ("parahost.runtime.chain_spec", "BadChainSpec"),
    ("parahost.runtime.genesis", "BadGenesis"),
    ("parahost.network.errors", "NetworkError"),
    ("parahost.ports.database", "DatabaseError"),
    ("parahost.chain.errors", "ForeignDatabase"),
    ("parahost.crypto.keystore", "KeyFileError"),
    ("parahost.crypto.secret_uri", "SecretUriError"),
    ("parahost.parachains.spec", "BadParachainSpec"),
    ("parahost.parachains.loading", "BadCollator"),
    ("parahost.parachains.collator", "CollatorFailed"),
    ("parahost.process.base_path", "BadNodeKey"),
    ("parahost.process.run_node", "BadBasePath"),
    ("parahost.process.run_node", "WorkersUnconfined"),
    ("parahost.devnet.plan", "BadPlan"),
    ("parahost.devnet.condition", "BadCondition"),
    ("parahost.simulation.plan", "BadSimulation"),
    ("parahost.simulation.hunt.dask_jobs", "NoCluster"),
    ("parahost.simulation.trace_filter", "BadTrace"),
)
"""By module and name: an error can only have been raised if its module was imported."""


class BadInput(Exception):
    """What a command was given cannot be used; one line that says what, where, what to do."""


def explain(error: BaseException) -> str | None:
    """The line for an error that the user can mend; ``None`` when it is a bug.

    Of a group, the first such error speaks if all are expected.
    """
    if isinstance(error, BaseExceptionGroup):
        lines = [explain(inner) for inner in error.exceptions]
        return lines[0] if lines and None not in lines else None
    if isinstance(error, expected()):
        return str(error) or type(error).__name__
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    shown = getattr(error, "format_message", None)
    return " ".join(str(shown()).split()) if callable(shown) else None


def expected() -> tuple[type[BaseException], ...]:
    """The expected errors whose modules are in use."""
    found: list[type[BaseException]] = [BadInput]
    for module, name in _EXPECTED:
        loaded = sys.modules.get(module)
        if loaded is not None:
            found.append(getattr(loaded, name))
    return tuple(found)
