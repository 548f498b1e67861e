"""``sp_io::misc``, and the panic handler."""

from __future__ import annotations

from parahost.validation.errors import GuestTrap
from parahost.validation.host_functions.context import HostContext, HostFunction


def _print_num(context: HostContext, number: int) -> None:
    context.write_log(str(number & 0xFFFFFFFFFFFFFFFF))


def _print_utf8(context: HostContext, span: int) -> None:
    context.write_log(context.read_for_log(span).decode(errors="replace"))


def _print_hex(context: HostContext, span: int) -> None:
    context.write_log(context.read_for_log(span).hex())


def _runtime_version(context: HostContext, span: int) -> int:
    """SCALE ``Option`` of the SCALE ``RuntimeVersion`` embedded in a runtime's code. A parachain
    calls it in the block that upgrades it. The code is not run."""
    from parahost.primitives import scale
    from parahost.validation.runtime_version import embedded_version

    version = embedded_version(context.memory.read_span(span), context.charge)
    encoded = None if version is None else scale.encode(version)
    return context.give_span(scale.encode(encoded, bytes | None))


def _abort_on_panic(context: HostContext, span: int) -> None:
    text = context.read_for_log(span).decode(errors="replace")
    context.write_log(text)
    raise GuestTrap("the function panicked")


FUNCTIONS = [
    HostFunction("ext_misc_print_num_version_1", "l", "", _print_num),
    HostFunction("ext_misc_print_utf8_version_1", "l", "", _print_utf8),
    HostFunction("ext_misc_print_hex_version_1", "l", "", _print_hex),
    HostFunction("ext_misc_runtime_version_version_1", "l", "l", _runtime_version),
    HostFunction("ext_panic_handler_abort_on_panic_version_1", "l", "", _abort_on_panic),
]
