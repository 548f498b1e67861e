"""One version of one stored value, in both its forms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from parahost.primitives import scale


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """What a storage item's values look like: the SCALE ``type`` and, for error messages, the
    item's ``label``."""

    label: str
    type: Any

    def encode(self, value: Any) -> bytes:
        """:raises ScaleEncodeError: when a module has put a value that is not of the type."""
        try:
            return scale.encode(value, self.type)
        except scale.ScaleEncodeError as error:
            error.add_note(f"a value of {self.label}")
            raise

    def decode(self, raw: bytes) -> Any:
        """:raises ScaleDecodeError: when the state holds other bytes than the item writes."""
        try:
            return scale.decode(self.type, raw)
        except scale.ScaleDecodeError as error:
            error.add_note(f"the state under {self.label}")
            raise


class Cell:
    """A value's bytes and its decoded form, each made from the other when first asked for.

    A cell is shared by every state in which the value is the same, across forks and children,
    so a value is encoded and decoded at most once per version. For that to be sound, values are
    immutable: frozen dataclasses, tuples, integers, bytes. Compare cells by :attr:`raw`.

    Threads may share cells: each works out the same, and what is left behind is complete when it
    is seen. All forms in which one key is asked for have the same type.
    """

    __slots__ = ("_form", "_raw", "_tail", "_value")

    def __init__(self, raw: bytes) -> None:
        self._raw: bytes | None = raw
        self._form: Form | None = None
        self._value: Any = None
        self._tail: tuple[Cell | None, Any] | None = None

    @classmethod
    def of(cls, value: Any, form: Form) -> Cell:
        """A value that is not yet encoded."""
        cell = cls.__new__(cls)
        cell._raw = None
        cell._form = form
        cell._value = value
        cell._tail = None
        return cell

    @classmethod
    def appended(cls, before: Cell | None, element: Any, form: Form) -> Cell:
        """The tuple in ``before`` (``None`` is the empty one) with one more element. It costs the
        same however long the tuple is, which is put together when it is first asked for."""
        cell = cls.of(None, form)
        cell._tail = (before, element)
        return cell

    @property
    def raw(self) -> bytes:
        """The SCALE bytes."""
        if self._raw is None:
            assert self._form is not None, "a cell without bytes has a value"
            self._raw = self._form.encode(self.decoded(self._form))
        return self._raw

    def decoded(self, form: Form) -> Any:
        """The value in this form. Asked for in another form, the bytes are decoded anew."""
        if self._tail is not None:
            self._put_together()
        if self._form is not form:
            self._value = form.decode(self.raw)
            self._form = form
        return self._value

    def _put_together(self) -> None:
        assert self._form is not None, "what is appended has the form of the whole"
        elements = []
        cell: Cell | None = self
        while cell is not None and (tail := cell._tail) is not None:
            cell, element = tail
            elements.append(element)
        start = () if cell is None else cell.decoded(self._form)
        self._value, self._tail = (*start, *reversed(elements)), None
