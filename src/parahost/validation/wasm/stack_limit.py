"""A limit on the depth of calls that the function itself counts, as Substrate's PVF host does.

How deep the machine's stack is depends on engine, processor and process, so it must decide nothing.
Each function costs its locals, the greatest height of its operand stack, and two values more. A
global that nothing else knows holds the cost of all functions that are running; one that would
raise it beyond the limit traps. The machine's stack is made large enough not to end before.

A body ``B`` becomes ``<add the cost; trap if beyond> block B end <subtract the cost>``. Branches
keep their targets; ``return`` becomes a branch to the new block. No function is added, so indices
and names stay what they are. The cost is paid by the function that is called, from wherever that
is: other functions, tables, or the host.

The global is the last export. What it holds after a trap tells whether the limit was the cause. So
that there is something to ask when the start function traps too, that is exported before the
global, whose name then says so, and the host calls it first.
"""

from __future__ import annotations

from parahost.validation.wasm.heights import shape_of
from parahost.validation.wasm.reader import (
    WASM_HEADER,
    FunctionBody,
    FunctionType,
    Section,
    SectionId,
    WasmModule,
    s32,
    u32,
)

MAX_STACK_VALUES = 65_536
"""As in Polkadot's executor parameters (``StackLogicalMax``)."""
COUNTER_NAME = "parahost stack"
"""How the counter's export begins: underscores follow where the module has that name itself."""
COUNTER_AND_START_NAME = COUNTER_NAME + " and start"
"""How it begins when the export before it is the start function."""
_START_NAME = "parahost start"
FRAME_COST = 2
"""Of a function without locals or operands, in values."""

_I32, _MUTABLE, _NO_RESULT, _FUNCTION_TYPE = b"\x7f", b"\x01", b"\x40", b"\x60"
_UNREACHABLE, _BLOCK, _IF, _END, _BR = b"\x00", b"\x02", b"\x04", b"\x0b", b"\x0c"
_GLOBAL_GET, _GLOBAL_SET, _I32_CONST = b"\x23", b"\x24", b"\x41"
_I32_GT_U, _I32_ADD, _I32_SUB = b"\x4b", b"\x6a", b"\x6b"
_FUNCTION_EXPORT, _GLOBAL_EXPORT = b"\x00", b"\x03"
_NAMES = b"\x04name"
_BEFORE_GLOBALS = {
    SectionId.TYPE,
    SectionId.IMPORT,
    SectionId.FUNCTION,
    SectionId.TABLE,
    SectionId.MEMORY,
}


def limit_stack(module: WasmModule) -> bytes:
    """The module with its calls counted, and without a start function: it is for the host to call
    the one that is exported as such. It must be valid. Of its custom sections only the names
    stay, as the others point into bodies that have moved.

    :raises MalformedModule: when a body has an instruction that is not known.
    """
    limiter = _Limiter(module, module.content(SectionId.CODE) or b"")
    code = _vector([limiter.body(index) for index in range(len(module.bodies))])
    changed = {
        SectionId.TYPE: limiter.types(),
        SectionId.GLOBAL: _globals(module),
        SectionId.EXPORT: _exports(module),
        SectionId.CODE: code,
    }
    sections = []
    for section in _in_order(module.sections):
        new = changed.get(SectionId(section.id))
        sections.append(Section(section.id, section.content if new is None else new))
    return WASM_HEADER + b"".join(map(_encode, sections))


class _Limiter:
    def __init__(self, module: WasmModule, content: bytes) -> None:
        self._module = module
        self._content = content
        self._counter = u32(module.globals)
        self._new_types: dict[bytes, int] = {}

    def body(self, index: int) -> bytes:
        """The body of a function that the module defines, with its size."""
        module, body = self._module, self._module.bodies[index]
        declared = module.types[module.functions[module.imported_functions + index]]
        results = len(declared.results)
        shape = shape_of(module, self._content, body.code_start, body.end, results)
        cost = _I32_CONST + s32(FRAME_COST + body.locals + shape.max_height)
        get, put = _GLOBAL_GET + self._counter, _GLOBAL_SET + self._counter
        limit = _I32_CONST + s32(MAX_STACK_VALUES)
        pieces = [
            self._content[body.start : body.code_start],
            get + cost + _I32_ADD + put,
            get + limit + _I32_GT_U + _IF + _NO_RESULT + _UNREACHABLE + _END,
            _BLOCK + self._block_type(declared),
            *self._without_returns(body, shape.returns),
            get + cost + _I32_SUB + put + _END,
        ]
        new = b"".join(pieces)
        return u32(len(new)) + new

    def types(self) -> bytes:
        """The types, and those of the blocks around bodies with several results."""
        new = [_FUNCTION_TYPE + u32(0) + u32(len(r)) + r for r in self._new_types]
        return _vector([*map(_encode_type, self._module.types), *new])

    def _block_type(self, function: FunctionType) -> bytes:
        results = function.results
        if len(results) < 2:
            return results or _NO_RESULT
        known = len(self._module.types) + len(self._new_types)
        return s32(self._new_types.setdefault(results, known))

    def _without_returns(self, body: FunctionBody, returns: list[tuple[int, int]]) -> list[bytes]:
        pieces, start = [], body.code_start
        for position, depth in returns:
            pieces += [self._content[start:position], _BR + u32(depth)]
            start = position + 1
        return [*pieces, self._content[start : body.end]]


def _globals(module: WasmModule) -> bytes:
    """The globals, and the counter behind them."""
    old = module.content(SectionId.GLOBAL)
    counter = _I32 + _MUTABLE + _I32_CONST + s32(0) + _END
    if old is None:
        return _vector([counter])
    defined = module.globals - module.imported_globals
    return u32(defined + 1) + old[_size_of_count(old) :] + counter


def _exports(module: WasmModule) -> bytes | None:
    """The exports, and behind them the start function, if there is one, and the counter."""
    old = module.content(SectionId.EXPORT)
    if old is None:
        return None
    counter = _GLOBAL_EXPORT + u32(module.globals)
    start = module.content(SectionId.START)
    if start is None:
        new = [_export(COUNTER_NAME, counter, old)]
    else:
        new = [
            _export(_START_NAME, _FUNCTION_EXPORT + start, old),
            _export(COUNTER_AND_START_NAME, counter, old),
        ]
    return u32(module.exports + len(new)) + old[_size_of_count(old) :] + b"".join(new)


def _export(name: str, what: bytes, others: bytes) -> bytes:
    own = name.encode()
    while own in others:
        own += b"_"
    return u32(len(own)) + own + what


def _size_of_count(content: bytes) -> int:
    """How many bytes the count at the beginning has: it may be longer than it need be."""
    return next(index for index, byte in enumerate(content) if byte < 0x80) + 1


def _in_order(sections: list[Section]) -> list[Section]:
    """What stays of them, with a section for globals where one has to be."""
    kept = [s for s in sections if s.id not in (SectionId.CUSTOM, SectionId.START)]
    if all(s.id != SectionId.GLOBAL for s in kept):
        place = sum(s.id in _BEFORE_GLOBALS for s in kept)
        kept.insert(place, Section(SectionId.GLOBAL, b""))
    names = [s for s in sections if s.id == SectionId.CUSTOM and s.content.startswith(_NAMES)]
    return kept + names


def _encode(section: Section) -> bytes:
    return bytes([section.id]) + u32(len(section.content)) + section.content


def _encode_type(function: FunctionType) -> bytes:
    parameters, results = function.parameters, function.results
    return _FUNCTION_TYPE + u32(len(parameters)) + parameters + u32(len(results)) + results


def _vector(items: list[bytes]) -> bytes:
    return u32(len(items)) + b"".join(items)
