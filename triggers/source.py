"""Read one handler file by AST: which decorator it carries, with which literals, on which handler.

Nothing is imported or executed, so reading two hundred files takes a moment and no declaration can depend on the
machine it is read on.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import DeclarationError
from triggers.declaration import Retry

DECORATORS: Mapping[tuple[str, str], tuple[str, str | None, Mapping[str, str]]] = {
    **{
        ("http", verb): ("http", "path", {"method": verb.upper()}) for verb in ("get", "post", "put", "patch", "delete")
    },
    ("message", "subscribe"): ("message", "topic", {}),
    **{
        ("document", change): ("document", "path", {"change": change})
        for change in ("created", "updated", "deleted", "written")
    },
    ("schedule", "cron"): ("schedule", "cron", {}),
    ("task", "handler"): ("task", None, {}),
}
"""Module and attribute of each decorator to its kind, its positional field and the fields it implies."""

Scalar = str | int | float | bool | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Argument:
    """One parameter of a handler.

    Attributes:
        name: Name.
        annotation: Annotation as written; empty where there is none.
        line: Line it stands on.
    """

    name: str
    annotation: str
    line: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """What one handler file declares.

    Attributes:
        file: Path relative to the repository, with ``/``.
        kind: http, message, document, schedule or task.
        handler: Name of the handler.
        summary: First sentence of the module's docstring.
        description: The handler's docstring.
        returns: Return annotation as written.
        arguments: Parameters of the handler.
        declared: Declared fields, defaults not applied.
        lines: Line of each declared field; ``""`` is the line of the decorator.
        length: Lines of the handler's body, without its docstring.
    """

    file: str
    kind: str
    handler: str
    summary: str
    description: str
    returns: str
    arguments: tuple[Argument, ...]
    declared: Mapping[str, Any]
    lines: Mapping[str, int]
    length: int

    def refuse(self, detail: str, field: str = "") -> DeclarationError:
        """Return the error that points at the line of a declared field."""
        return DeclarationError(self.file, self.lines.get(field, self.lines[""]), detail)


def read_source(file: Path, root: Path) -> Source:
    """Read a handler file.

    Raises:
        DeclarationError: The file does not parse, has not exactly one decorated handler, or declares something that is
            not a literal.
    """
    name = file.relative_to(root).as_posix()
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"), filename=name)
    except SyntaxError as error:
        raise DeclarationError(name, error.lineno or 1, f"syntax error: {error.msg}") from error
    handler, decorator = _decorated(tree, name)
    if handler.name != file.stem:
        raise DeclarationError(name, handler.lineno, f"the handler must be called {file.stem}, like its file")
    declared, lines = _declared(decorator, name)
    kind = DECORATORS[_decorator_name(decorator)][0]
    description = _docstring(handler, name, f"handler {handler.name}")
    return Source(
        file=name,
        kind=kind,
        handler=handler.name,
        summary=first_sentence(_docstring(tree, name, "module")),
        description=description,
        returns=ast.unparse(handler.returns) if handler.returns else "",
        arguments=_arguments(handler, name),
        declared=declared,
        lines=lines,
        length=(handler.end_lineno or handler.lineno) - handler.body[0].lineno + 1 - _docstring_lines(handler),
    )


def first_sentence(text: str) -> str:
    """Return the first sentence of a docstring on one line, without its full stop."""
    paragraph = " ".join(text.split("\n\n", 1)[0].split())
    return paragraph.split(". ", 1)[0].rstrip(".")


def _docstring(node: ast.Module | ast.FunctionDef, file: str, what: str) -> str:
    text = ast.get_docstring(node)
    if not text:
        raise DeclarationError(file, getattr(node, "lineno", 1), f"{what} has no docstring")
    return inspect.cleandoc(text)


def _docstring_lines(handler: ast.FunctionDef) -> int:
    first = handler.body[0]
    return (first.end_lineno or first.lineno) - first.lineno + 1


def _decorated(tree: ast.Module, file: str) -> tuple[ast.FunctionDef, ast.Call]:
    wired = _trigger_names(tree)
    found: list[tuple[ast.FunctionDef, ast.Call]] = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for decorator in node.decorator_list:
            place = decorator.func if isinstance(decorator, ast.Call) else decorator
            if not (isinstance(place, ast.Attribute) and isinstance(place.value, ast.Name) and place.value.id in wired):
                continue
            found.append((_checked_handler(tree, node, file), _checked_decorator(decorator, place, file)))
    if len(found) != 1:
        line = found[1][0].lineno if found else 1
        raise DeclarationError(file, line, f"exactly one decorated handler belongs into a file; found {len(found)}")
    return found[0]


def _trigger_names(tree: ast.Module) -> frozenset[str]:
    """Return the names under which the file imports trigger modules: ``from triggers import http``."""
    modules = {module for module, _ in DECORATORS}
    return frozenset(
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == "triggers" and node.level == 0
        for alias in node.names
        if alias.name in modules
    )


def _checked_handler(tree: ast.Module, node: ast.FunctionDef | ast.AsyncFunctionDef, file: str) -> ast.FunctionDef:
    if isinstance(node, ast.AsyncFunctionDef):
        raise DeclarationError(file, node.lineno, "a handler is a plain function, not an async one")
    if node not in tree.body:
        raise DeclarationError(file, node.lineno, "a handler stands at the top level of its file")
    if len(node.decorator_list) != 1:
        raise DeclarationError(file, node.lineno, "a handler carries one decorator")
    return node


def _checked_decorator(decorator: ast.expr, place: ast.Attribute, file: str) -> ast.Call:
    name = ast.unparse(place)
    if not isinstance(decorator, ast.Call):
        raise DeclarationError(file, decorator.lineno, f"@{name} must be called: @{name}(...)")
    if _decorator_name(decorator) not in DECORATORS:
        raise DeclarationError(file, decorator.lineno, f"there is no decorator @{name}")
    return decorator


def _decorator_name(decorator: ast.Call) -> tuple[str, str]:
    place = decorator.func
    assert isinstance(place, ast.Attribute)
    assert isinstance(place.value, ast.Name)
    return place.value.id, place.attr


def _declared(decorator: ast.Call, file: str) -> tuple[dict[str, Any], dict[str, int]]:
    _, positional, implied = DECORATORS[_decorator_name(decorator)]
    declared: dict[str, Any] = dict(implied)
    lines = {"": decorator.lineno}
    allowed = 0 if positional is None else 1
    if len(decorator.args) != allowed:
        detail = f"takes {allowed} positional argument{'s' if allowed != 1 else ''}; got {len(decorator.args)}"
        raise DeclarationError(file, decorator.lineno, f"@{ast.unparse(decorator.func)} {detail}")
    if positional is not None:
        declared[positional] = _literal(decorator.args[0], file, positional)
        lines[positional] = decorator.args[0].lineno
    for keyword in decorator.keywords:
        if keyword.arg is None:
            raise DeclarationError(file, keyword.value.lineno, "a declaration names its fields; ** is not a literal")
        if keyword.arg in declared:
            raise DeclarationError(file, keyword.value.lineno, f"{keyword.arg}: already given by the decorator")
        declared[keyword.arg] = _literal(keyword.value, file, keyword.arg)
        lines[keyword.arg] = keyword.value.lineno
    return declared, lines


def _literal(node: ast.expr, file: str, field: str) -> object:
    """Evaluate a literal: scalars, negative numbers, tuples, dicts with string keys, and ``Retry(...)``."""
    match node:
        case ast.Constant(value=str() | bool() | int() | float() | None as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.Tuple(elts=elements):
            return tuple(_literal(element, file, field) for element in elements)
        case ast.Dict(keys=keys, values=values):
            return _mapping(keys, values, file, field, node.lineno)
        case ast.Call(func=ast.Name(id="Retry"), args=[], keywords=keywords):
            return _retry(keywords, file, node.lineno)
    raise DeclarationError(file, node.lineno, f"{field}: {ast.unparse(node)} is not a literal")


def _mapping(
    keys: list[ast.expr | None], values: list[ast.expr], file: str, field: str, line: int
) -> dict[str, object]:
    pairs: dict[str, object] = {}
    for key, value in zip(keys, values, strict=True):
        name = None if key is None else _literal(key, file, field)
        if not isinstance(name, str):
            raise DeclarationError(file, line, f"{field}: keys must be string literals")
        if name in pairs:
            raise DeclarationError(file, value.lineno, f"{field}: {name!r} is given twice")
        pairs[name] = _literal(value, file, field)
    return pairs


def _retry(keywords: list[ast.keyword], file: str, line: int) -> Retry:
    values = {keyword.arg or "**": _literal(keyword.value, file, "Retry") for keyword in keywords}
    try:
        return Retry(**values)  # type: ignore[arg-type]  # the schema checks the types with the rest of the entry
    except TypeError as error:
        raise DeclarationError(file, line, f"Retry: {error}") from error


def _arguments(handler: ast.FunctionDef, file: str) -> tuple[Argument, ...]:
    given = handler.args
    if given.vararg or given.kwarg or given.posonlyargs or given.kwonlyargs or given.defaults:
        raise DeclarationError(file, handler.lineno, "a handler takes plain parameters without defaults")
    return tuple(
        Argument(
            name=argument.arg,
            annotation=ast.unparse(argument.annotation) if argument.annotation else "",
            line=argument.lineno,
        )
        for argument in given.args
    )
