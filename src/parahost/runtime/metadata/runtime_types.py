"""The types of this runtime: its modules' calls, events and errors, and its extrinsics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from parahost.primitives.basic import U8
from parahost.primitives.header import BoundedExtrinsic
from parahost.primitives.scale.shapes import Bytes, Integer, ScaleShape
from parahost.primitives.values import dataclass
from parahost.runtime.description import ModuleDescription, Variant
from parahost.runtime.extrinsic import SIGNED_EXTENSIONS, Era
from parahost.runtime.metadata.names import (
    CALLS,
    ERA,
    ERRORS,
    EVENTS,
    EXTRINSIC,
    RUNTIME,
    TypeName,
    name_of,
)
from parahost.runtime.metadata.portable import (
    CompositeDef,
    TupleDef,
    TypeDef,
    TypeField,
    TypeId,
    TypeInfo,
    TypeParameter,
    TypeVariant,
    VariantDef,
)
from parahost.runtime.metadata.registry import TypeRegistry, lines
from parahost.runtime.signers import MultiAddress, MultiSignature


@dataclass(frozen=True, slots=True)
class DeclaredKind:
    """Calls, events or errors. ``outer``: the name of the enum of all modules'; ``inner``: how each
    module's own is called; ``of``: what a module has."""

    outer: TypeName
    inner: str
    of: Callable[[ModuleDescription], tuple[Variant, ...]]


CALL = DeclaredKind(CALLS, "Call", lambda module: module.calls)
EVENT = DeclaredKind(EVENTS, "Event", lambda module: module.events)
ERROR = DeclaredKind(ERRORS, "Error", lambda module: _without_gaps(module.errors))


class RuntimeTypes(TypeRegistry):
    """The registry of a runtime with these modules."""

    def __init__(self, modules: tuple[ModuleDescription, ...]) -> None:
        super().__init__()
        self._modules = modules

    def id_of_type(self, type_: Any) -> TypeId:
        return self.extrinsic() if type_ == BoundedExtrinsic else super().id_of_type(type_)

    def id_of(self, shape: ScaleShape) -> TypeId:
        for kind in (CALL, EVENT):
            if name_of(shape) == kind.outer:
                return self.outer(kind)
        return super().id_of(shape)

    # Modules

    def outer(self, kind: DeclaredKind) -> TypeId:
        """The enum of all modules' calls, events or errors."""
        return self.register(kind.outer, lambda: self.named(kind.outer, self._outer(kind)))

    def inner(self, module: ModuleDescription, kind: DeclaredKind) -> TypeId | None:
        """The enum of one module's; ``None`` when it has none."""
        variants = kind.of(module)
        if not variants:
            return None
        name = TypeName(("parahost_runtime", module.name, kind.inner))
        return self.register(name, lambda: self.named(name, self._inner(variants)))

    def _outer(self, kind: DeclaredKind) -> TypeDef:
        variants = []
        for module in self._modules:
            inner = self.inner(module, kind)
            if inner is not None:
                field = TypeField(None, inner, f"{module.name}{kind.inner}", ())
                variants.append(TypeVariant(module.name, (field,), U8(module.index), ()))
        return VariantDef(tuple(variants))

    def _inner(self, variants: tuple[Variant, ...]) -> TypeDef:
        return VariantDef(tuple(self._told(each) for each in variants))

    def _told(self, variant: Variant) -> TypeVariant:
        fields = tuple(
            self.field(each.name, each.shape, each.documentation) for each in variant.fields
        )
        return TypeVariant(variant.name, fields, U8(variant.index), lines(variant.documentation))

    # Extrinsics

    def extension(self, type_: Any) -> TypeId:
        """What a signed extension has in the extrinsic, or beside it."""
        if type_ == Era:
            return self.register(ERA, lambda: self.named(ERA, self._era()))
        return self.id_of_type(type_)

    def extra(self) -> TypeId:
        """What all signed extensions have in the extrinsic."""
        return self.register("extra", lambda: self.named(TypeName(), self._extra()))

    def extrinsic(self) -> TypeId:
        """The extrinsic as a whole; its bytes have their length before them. Some tools look by its
        name for what it is made of, in whatever version."""
        return self.register(EXTRINSIC, self._extrinsic)

    def _era(self) -> TypeDef:
        """Substrate's enum: the tag is the first byte of a mortal era, the field the second."""
        second = (self.field(None, Integer(8)),)
        mortal = (TypeVariant(f"Mortal{tag}", second, U8(tag), ()) for tag in range(1, 256))
        return VariantDef((TypeVariant("Immortal", (), U8(0), ()), *mortal))

    def _extra(self) -> TypeDef:
        return TupleDef(tuple(self.extension(each.extra) for each in SIGNED_EXTENSIONS))

    def _extrinsic(self) -> TypeInfo:
        parameters = {
            "Address": self.id_of_type(MultiAddress),
            "Call": self.outer(CALL),
            "Signature": self.id_of_type(MultiSignature),
            "Extra": self.extra(),
        }
        return TypeInfo(
            EXTRINSIC.path,
            tuple(TypeParameter(name, type_) for name, type_ in parameters.items()),
            CompositeDef((self.field(None, Bytes()),)),
            (),
        )

    def runtime(self) -> TypeId:
        """A type that stands for the runtime, as V14 and V15 want one."""
        return self.register(RUNTIME, lambda: self.named(RUNTIME, CompositeDef(())))


def _without_gaps(errors: tuple[Variant, ...]) -> tuple[Variant, ...]:
    """Errors in the order of their numbers, and a placeholder for each number that is left out:
    py-substrate-interface takes an error's number for its place in the list."""
    declared = {error.index: error for error in errors}
    return tuple(
        declared.get(index) or Variant(index, f"Unused{index}", (), "No error has this number.")
        for index in range(max(declared, default=-1) + 1)
    )
