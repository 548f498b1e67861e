"""What stands in the source about a class or a name: its docstring, or the string under it."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Mapping
from functools import cache
from itertools import pairwise


def class_documentation(cls: type) -> str:
    """A class's own docstring; empty where there is only what a dataclass writes by itself."""
    text = vars(cls).get("__doc__") or ""
    return "" if text.startswith(f"{cls.__name__}(") else inspect.cleandoc(text)


@cache
def attribute_documentation(cls: type) -> Mapping[str, str]:
    """The strings under the attributes of a class, by the attributes' names."""
    return _strings_under(_definition(cls).body)


def name_documentation(module: str, name: str) -> str:
    """The string under a name that a module defines; empty when there is none."""
    return _strings_under(_source(module).body).get(name, "")


def _strings_under(body: list[ast.stmt]) -> dict[str, str]:
    found = {}
    for attribute, text in pairwise(body):
        match attribute, text:
            case (
                (ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name))),
                ast.Expr(value=ast.Constant(value=str(written))),
            ):
                found[name] = inspect.cleandoc(written)
    return found


def _definition(cls: type) -> ast.ClassDef:
    scope: ast.Module | ast.ClassDef = _source(cls.__module__)
    for name in cls.__qualname__.split("."):
        scope = next(
            each for each in scope.body if isinstance(each, ast.ClassDef) and each.name == name
        )
    assert isinstance(scope, ast.ClassDef), "a class has a name"
    return scope


@cache
def _source(module: str) -> ast.Module:
    return ast.parse(inspect.getsource(sys.modules[module]))
