"""``sp_io::allocator``."""

from __future__ import annotations

from parahost.validation.host_functions.context import HostContext, HostFunction


def _malloc(context: HostContext, size: int) -> int:
    return context.allocator.malloc(size & 0xFFFFFFFF)


def _free(context: HostContext, pointer: int) -> None:
    context.allocator.free(pointer & 0xFFFFFFFF)


FUNCTIONS = [
    HostFunction("ext_allocator_malloc_version_1", "i", "i", _malloc),
    HostFunction("ext_allocator_free_version_1", "i", "", _free),
]
