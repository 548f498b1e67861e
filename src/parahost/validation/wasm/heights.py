"""How high a function's operand stack gets, and where the function returns.

As Substrate counts (wasm-instrument): the height before and after each instruction; what stands
behind a branch counts as if it ran, and never falls below where its block began.

The code is megabytes and this is Python, so the instructions are found by one regular expression.
The code must be valid.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

from parahost.validation.wasm.reader import FunctionType, MalformedModule, WasmModule


class _Kind(IntEnum):
    """Number of the group that matches."""

    KEEP = 1
    PUSH = 2
    POP = 3
    POP_TWO = 4
    POP_THREE = 5
    OPEN = 6
    ELSE = 7
    END = 8
    NEVER = 9
    RETURN = 10
    TABLE_BRANCH = 11
    CALL = 12
    CALL_INDIRECT = 13


_LEB = rb"[\x80-\xff]*[\x00-\x7f]"
_INSTRUCTION = re.compile(
    rb"""
    ( [\x01\x45\x50\x67-\x69\x79-\x7b\x8b-\x91\x99-\x9f\xa7-\xc4\xd1]  # nop, unary, conversions
    | [\x22\x25\x40]LEB                          # local.tee, table.get, memory.grow
    | [\x28-\x35]LEBLEB                          # loads
    | \xfc(?:[\x00-\x07]|[\x09\x0d]LEB)          # saturating conversions; data.drop, elem.drop
    )
    | ([\x20\x23\x41\x42\x3f\xd0\xd2]LEB|\x43.{4}|\x44.{8}|\xfc\x10LEB)
    | ( [\x1a\x46-\x4f\x51-\x66\x6a-\x78\x7c-\x8a\x92-\x98\xa0-\xa6]   # drop, comparisons, binary
    | [\x21\x24\x0d]LEB                          # local.set, global.set, br_if
    | \xfc\x0fLEB                                # table.grow
    )
    | ( \x1b | \x1c\x01. | [\x26]LEB             # select, table.set
    | [\x36-\x3e]LEBLEB                          # stores
    )
    | (\xfc(?:[\x08\x0a\x0c\x0e]LEBLEB|[\x0b\x11]LEB))  # memory.init, .copy, .fill; as for tables
    | ([\x02-\x04]LEB)
    | (\x05)
    | (\x0b)
    | (\x00|\x0cLEB)                             # unreachable, br
    | (\x0f)
    | (\x0eLEB)
    | (\x10LEB)
    | (\x11LEBLEB)
    """.replace(b"LEB", _LEB),
    re.DOTALL | re.VERBOSE,
)
_CHANGE = {_Kind.KEEP: 0, _Kind.PUSH: 1, _Kind.POP: -1, _Kind.POP_TWO: -2, _Kind.POP_THREE: -3}
_CHANGES = [0, *_CHANGE.values()]
_PLAIN = _Kind.POP_THREE
_LEB_END = re.compile(_LEB, re.DOTALL)
_NO_RESULT, _VALUE_TYPES = 0x40, range(0x6F, 0x80)
_IF = 0x04


@dataclass(frozen=True, slots=True)
class StackShape:
    """What a body needs of the operand stack, and where it returns before its end."""

    max_height: int
    returns: list[tuple[int, int]]
    """The position of each ``return``, and in how many blocks it stands."""


@dataclass(slots=True)
class _Block:
    """Heights on entry (below its parameters), behind ``else`` and behind its end."""

    base: int
    inner: int
    after: int


def shape_of(module: WasmModule, content: bytes, start: int, end: int, results: int) -> StackShape:
    """Of the instructions from ``start`` to ``end`` in the code section's ``content``.

    :raises MalformedModule: at an instruction that is not known.
    """
    blocks = [_Block(0, 0, results)]
    returns: list[tuple[int, int]] = []
    height = highest = base = 0
    changes = _CHANGES
    at = start
    while at < end:
        for match in _INSTRUCTION.finditer(content, at, end):
            if match.start() != at:
                break
            at = match.end()
            kind = match.lastindex or 0
            if kind <= _PLAIN:
                height += changes[kind]
                if height > highest:
                    highest = height
                elif height < base:  # only behind a branch
                    height = base
                continue
            match kind:
                case _Kind.OPEN:
                    block = _opened(module, match[0], height)
                    blocks.append(block)
                    base, height = block.base, block.inner
                case _Kind.ELSE:
                    height = blocks[-1].inner
                case _Kind.END:
                    height = blocks.pop().after
                    base = blocks[-1].base if blocks else 0
                case _Kind.RETURN:
                    returns.append((match.start(), len(blocks) - 1))
                case _Kind.TABLE_BRANCH:
                    height = max(height - 1, base)
                    at = _behind(content, at, _leb(match[0]) + 1)
                    break
                case _Kind.CALL:
                    called = module.types[module.functions[_leb(match[0])]]
                    height = _called(called, height, base)
                case _Kind.CALL_INDIRECT:
                    called = module.types[_leb(match[0])]
                    height = _called(called, max(height - 1, base), base)
            highest = max(highest, height)
        else:
            if at < end:
                raise MalformedModule(f"cut off instruction at byte {at} of the code section")
            break
        if not blocks or match.start() > at:
            raise MalformedModule(f"unknown instruction at byte {at} of the code section")
    return StackShape(highest, returns)


def _called(function: FunctionType, height: int, base: int) -> int:
    return max(height - len(function.parameters), base) + len(function.results)


def _opened(module: WasmModule, instruction: bytes, height: int) -> _Block:
    """The block that an instruction opens at ``height``."""
    if instruction[0] == _IF:
        height -= 1
    kind = instruction[1]
    if len(instruction) == 2 and kind == _NO_RESULT:
        parameters, results = 0, 0
    elif len(instruction) == 2 and kind in _VALUE_TYPES:
        parameters, results = 0, 1
    else:
        declared = module.types[_leb(instruction)]
        parameters, results = len(declared.parameters), len(declared.results)
    base = max(height - parameters, 0)
    return _Block(base, base + parameters, base + results)


def _leb(instruction: bytes) -> int:
    """The integer behind the opcode."""
    value = 0
    for index, byte in enumerate(instruction[1:]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            break
    return value


def _behind(content: bytes, at: int, count: int) -> int:
    """Where ``count`` integers from ``at`` on end."""
    for _ in range(count):
        match = _LEB_END.match(content, at)
        if match is None:
            raise MalformedModule(f"cut off at byte {at} of the code section")
        at = match.end()
    return at
