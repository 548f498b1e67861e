"""What a runtime module declares, beside each other in its own file, each with documentation.

::

    @event(0)
    @dataclass(frozen=True, slots=True)
    class Registered(RuntimeEvent):
        para: ParaId

    class UnfitCode(ModuleError, index=0): ...

    @call(0, "register", weight=micros(250))
    @dataclass(frozen=True, slots=True)
    class Register(RuntimeCall):
        para: ParaId

    class Registrar(Module, pallet=Pallet(70, "Registrar")):
        calls = (Register,)
        events = (Registered,)
        errors = (UnfitCode,)

        count = StorageValue("Count", U32, default=U32(0))
        most = Constant("Most", U32, MOST)

        @entry_point(Register, origin=Root)
        def register(self, store: Overlay, origin: Root, call: Register) -> None: ...

A module's number tags its calls, events and errors in SCALE forms, before their own. All else
follows from the declarations: dispatch, origin checks, weights, the codes of errors, metadata.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

from parahost.primitives.scale import encode
from parahost.runtime.dispatch import DispatchClass
from parahost.runtime.errors import BadOrigin, ModuleError
from parahost.runtime.origin import NoOrigin, Origin, Root, Signed
from parahost.runtime.pallets import Pallet
from parahost.runtime.storage import Overlay, Reader, StorageItem
from parahost.runtime.weights import Weigh, Weight

C = TypeVar("C", bound="RuntimeCall")
E = TypeVar("E", bound="type[RuntimeEvent]")
M = TypeVar("M", bound="Module")
O = TypeVar("O", Root, Signed, NoOrigin)  # noqa: E741
V = TypeVar("V")

# Calls


@dataclass(frozen=True, slots=True)
class CallDeclaration:
    """``index``: the call's number in its module. ``name``: what tools call it. ``weight``: what
    making it costs, or a function of the call that says so."""

    index: int
    name: str
    weight: Weigh
    dispatch_class: DispatchClass


class RuntimeCall:
    """Every call. Its SCALE form is an enum of the calls of all modules, which
    :mod:`parahost.runtime.modules` completes."""

    __slots__ = ()
    __scale_members__: ClassVar[tuple[type, ...]] = ()
    __scale_tag__: ClassVar[bytes]
    pallet: ClassVar[Pallet]
    declared: ClassVar[CallDeclaration]


def call(
    index: int,
    name: str,
    *,
    weight: Weigh,
    dispatch_class: DispatchClass = DispatchClass.NORMAL,
) -> Callable[[type[C]], type[C]]:
    """Declare a class of calls."""

    def declare(cls: type[C]) -> type[C]:
        cls.declared = CallDeclaration(index, name, weight, dispatch_class)
        return cls

    return declare


def encode_call(made: RuntimeCall) -> bytes:
    """The SCALE form of a call."""
    return made.__scale_tag__ + encode(made)


def name_of(made: RuntimeCall | type[RuntimeCall]) -> str:
    """For people: ``Timestamp.set``."""
    return f"{made.pallet.name}.{made.declared.name}"


def call_weight(made: RuntimeCall) -> Weight:
    """What making the call costs, as its class declares."""
    weight = made.declared.weight
    return weight if isinstance(weight, Weight) else weight(made)


class EntryPoint(NamedTuple):
    """The method that makes calls, and the origin that may ask for it."""

    method: Callable[[Any, Overlay, Any, Any], None]
    origin: type[Root] | type[Signed] | type[NoOrigin]


def entry_point(
    *calls: type[C], origin: type[O]
) -> Callable[[Callable[[M, Overlay, O, C], None]], Callable[[M, Overlay, O, C], None]]:
    """Declare the method that makes calls of these classes, and who may have them made."""

    def declare(
        method: Callable[[M, Overlay, O, C], None],
    ) -> Callable[[M, Overlay, O, C], None]:
        method.__entry_points__ = dict.fromkeys(calls, EntryPoint(method, origin))  # type: ignore[attr-defined]
        return method

    return declare


# Events


class RuntimeEvent:
    """Every event. Its SCALE form is an enum of the events of all modules, as with calls."""

    __slots__ = ()
    __scale_members__: ClassVar[tuple[type, ...]] = ()
    __scale_tag__: ClassVar[bytes]
    index: ClassVar[int]


def event(index: int) -> Callable[[E], E]:
    """Give a class of events its number in its module."""

    def declare(cls: E) -> E:
        cls.index = index
        return cls

    return declare


# Constants


class Constant(Generic[V]):
    """A value that holds as long as the runtime's version does."""

    def __init__(self, name: str, type_: Any, value: V) -> None:
        self.name = name
        self.type = type_
        self.value = value


# Modules


class Module:
    """Base of the runtime's modules: ``class Paras(Module, pallet=Pallet(56, "Paras"))``.

    ``storage_items`` and ``constants`` are those declared in the class, in order. The steps of a
    block that a module takes part in are methods: ``initialize``, ``on_session_change``,
    ``finalize``. Their order is the executive's and the Initializer's.
    """

    pallet: ClassVar[Pallet]
    calls: ClassVar[tuple[type[RuntimeCall], ...]] = ()
    events: ClassVar[tuple[type[RuntimeEvent], ...]] = ()
    errors: ClassVar[tuple[type[ModuleError], ...]] = ()
    storage_items: ClassVar[tuple[StorageItem[Any, Any], ...]]
    constants: ClassVar[tuple[Constant[Any], ...]]
    entry_points: ClassVar[Mapping[type[RuntimeCall], EntryPoint]]

    def __init_subclass__(cls, *, pallet: Pallet, **kwargs: Any) -> None:
        """:raises TypeError: when two declarations have one number or name, or a call has not
        exactly one entry point.
        """
        super().__init_subclass__(**kwargs)
        cls.pallet = pallet
        declared = vars(cls).values()
        cls.storage_items = tuple(item for item in declared if isinstance(item, StorageItem))
        cls.constants = tuple(item for item in declared if isinstance(item, Constant))
        cls.entry_points = {
            made: entry
            for method in declared
            for made, entry in getattr(method, "__entry_points__", {}).items()
        }
        _be_unique(pallet, "storage items", [item.name for item in cls.storage_items])
        _be_unique(pallet, "constants", [constant.name for constant in cls.constants])
        _be_unique(pallet, "calls", [made.declared.name for made in cls.calls])
        _be_unique(pallet, "calls", [made.declared.index for made in cls.calls])
        _be_unique(pallet, "events", [told.index for told in cls.events])
        _be_unique(pallet, "errors", [error.index for error in cls.errors])
        if set(cls.entry_points) != set(cls.calls):
            raise TypeError(f"{pallet.name}: entry points {cls.entry_points}, calls {cls.calls}")
        for item in cls.storage_items:
            item.bind(pallet.name)
        for made in cls.calls:
            made.pallet = pallet
            made.__scale_tag__ = bytes((pallet.index, made.declared.index))
        for told in cls.events:
            told.__scale_tag__ = bytes((pallet.index, told.index))
        for error in cls.errors:
            error.pallet = pallet

    def check(self, store: Reader) -> None:
        """Whether what is stored agrees, between blocks; for tests.

        :raises RuntimeBug: with the evidence, when it does not.
        """

    def dispatch(self, store: Overlay, origin: Origin, made: RuntimeCall) -> None:
        """Make one of the module's calls.

        :raises BadOrigin: when it comes from another origin than its entry point asks for.
        """
        entry = self.entry_points[type(made)]
        if not isinstance(origin, entry.origin):
            raise BadOrigin(entry.origin.__name__, origin)
        entry.method(self, store, origin, made)


def _be_unique(pallet: Pallet, what: str, names: list[Any]) -> None:
    if len(set(names)) != len(names):
        raise TypeError(f"{pallet.name} declares two {what} of one name or number: {names}")
