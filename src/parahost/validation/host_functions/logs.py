"""``sp_io::logging``."""

from __future__ import annotations

from parahost.validation.host_functions.context import HostContext, HostFunction

_LEVELS = ("error", "warn", "info", "debug", "trace")
_MAX_LEVEL = 1
"""Errors only. A constant: what a function does must not depend on how its host logs."""


def _log(context: HostContext, level: int, target: int, message: int) -> None:
    name = _LEVELS[min(level & 0xFF, len(_LEVELS) - 1)]
    target_text = context.read_for_log(target).decode(errors="replace")
    text = context.read_for_log(message).decode(errors="replace")
    context.write_log(f"{name} {target_text}: {text}")


def _max_level(_: HostContext) -> int:
    return _MAX_LEVEL


FUNCTIONS = [
    HostFunction("ext_logging_log_version_1", "ill", "", _log),
    HostFunction("ext_logging_max_level_version_1", "", "i", _max_level),
]
