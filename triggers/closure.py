"""Follow imports by AST: which files of ours one function needs, and which packages of others.

Imports are followed wherever they stand, inside functions too. Imports for type checkers only (``if TYPE_CHECKING:``)
are not: they never run. A file ``name`` that a module reads as ``Path(__file__).with_name("name")`` belongs to it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from common.errors import DeclarationError

FIRST_PARTY = ("common", "functions", "triggers")
NEVER_DEPLOYED = ("triggers.local", "triggers.demo", "triggers.deploy", "tests")
"""Packages of the local cloud, of the demonstration, of what deploys and of the tests."""

FORBIDDEN = ("firebase_admin.firestore", "numpy", "pandas", "pyarrow")
"""Imports that would cost every cold start of a function more than they give."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Import:
    """One imported name.

    Attributes:
        name: Dotted name; for ``from a import b`` it is ``a.b``, whether ``b`` is a module or not.
        module: The part that is certainly a module: ``a``.
        line: Where it stands.
    """

    name: str
    module: str
    line: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Module:
    """One file of ours.

    Attributes:
        name: Dotted name.
        file: Path relative to the repository, with ``/``.
        content: Bytes of the file.
        imports: What it imports.
        data: Files beside it that it reads, relative to the repository.
    """

    name: str
    file: str
    content: bytes
    imports: tuple[Import, ...]
    data: tuple[str, ...]

    @property
    def is_package(self) -> bool:
        """Whether this is an ``__init__.py``; those are empty."""
        return self.file.endswith("/__init__.py")


@dataclass(frozen=True, kw_only=True, slots=True)
class Closure:
    """Everything one function needs.

    Attributes:
        files: Path relative to the repository to content: modules, the packages they are in, and data files.
        foreign: Imports that are not ours, each with the file it stands in; the standard library included.
    """

    files: dict[str, bytes]
    foreign: tuple[tuple[str, Import], ...]


class Modules:
    """The modules of a repository, each parsed once.

    Attributes:
        root: The repository.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._known: dict[str, Module | None] = {}
        self._near: dict[str, tuple[Module, ...]] = {}

    def find(self, name: str) -> Module | None:
        """Return a module or package by dotted name, or None where there is none."""
        if name not in self._known:
            self._known[name] = self._read(name)
        return self._known[name]

    def closure(self, start: str) -> Closure:
        """Return what ``start`` needs.

        Raises:
            DeclarationError: A module of ours does not exist, must never be deployed, or is imported dynamically.
        """
        begin = self.find(start)
        if begin is None:
            raise DeclarationError(start.replace(".", "/") + ".py", 1, "there is no such module")
        seen: dict[str, Module] = {}
        foreign: list[tuple[str, Import]] = []
        waiting = [begin]
        while waiting:
            module = waiting.pop()
            if module.name in seen:
                continue
            seen[module.name] = module
            foreign.extend((module.file, imported) for imported in module.imports if not _is_ours(imported))
            waiting.extend(near for near in self._neighbours(module) if near.name not in seen)
        files = {module.file: module.content for module in seen.values()}
        for module in seen.values():
            files.update((name, self._data(module, name)) for name in module.data)
        return Closure(files=dict(sorted(files.items())), foreign=tuple(sorted(foreign, key=_by_place)))

    def _neighbours(self, module: Module) -> tuple[Module, ...]:
        """Return what a module needs directly: the packages it is in and the modules of ours that it imports."""
        if module.name not in self._near:
            for imported in module.imports:
                _check_bearable(module.file, imported)
            near = {found.name: found for found in self._packages(module.name)}
            for imported in filter(_is_ours, module.imports):
                near.update((found.name, found) for found in self._targets(module, imported))
            self._near[module.name] = tuple(near.values())
        return self._near[module.name]

    def _targets(self, module: Module, imported: Import) -> Iterator[Module]:
        if imported.name.startswith(NEVER_DEPLOYED):
            raise DeclarationError(module.file, imported.line, f"{imported.name} must not reach a deployed function")
        target = self.find(imported.module)
        if target is None:
            raise DeclarationError(module.file, imported.line, f"there is no module {imported.module}")
        yield target
        below = self.find(imported.name) if imported.name != imported.module else None
        if below is not None:
            yield below
        elif imported.name != imported.module and target.is_package:
            detail = f"{imported.module} has no module {imported.name.rpartition('.')[2]} (packages export nothing)"
            raise DeclarationError(module.file, imported.line, detail)

    def _packages(self, name: str) -> Iterator[Module]:
        while "." in name:
            name = name.rpartition(".")[0]
            package = self.find(name)
            if package is not None:
                yield package

    def _data(self, module: Module, name: str) -> bytes:
        file = self.root / name
        if not file.is_file():
            raise DeclarationError(module.file, 1, f"it reads {name}, which does not exist")
        return file.read_bytes()

    def _read(self, name: str) -> Module | None:
        place = Path(*name.split("."))
        for relative in (place.with_suffix(".py"), place / "__init__.py"):
            file = self.root / relative
            if file.is_file():
                return _parse(name, relative, file.read_bytes())
        return None


def _is_ours(imported: Import) -> bool:
    return imported.name.split(".", 1)[0] in FIRST_PARTY


def _check_bearable(file: str, imported: Import) -> None:
    if any(imported.name == name or imported.name.startswith(f"{name}.") for name in FORBIDDEN):
        raise DeclarationError(file, imported.line, f"{imported.name} must not be imported by a function")


def _by_place(found: tuple[str, Import]) -> tuple[str, int, str]:
    file, imported = found
    return file, imported.line, imported.name


def _parse(name: str, relative: Path, content: bytes) -> Module:
    file = relative.as_posix()
    tree = ast.parse(content, filename=file)
    package = name if relative.name == "__init__.py" else name.rpartition(".")[0]
    imports: list[Import] = []
    data: set[str] = set()
    for node in _running(tree):
        if isinstance(node, ast.Import):
            imports.extend(Import(name=alias.name, module=alias.name, line=node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = _origin(node, package)
            imports.extend(
                Import(name=f"{origin}.{alias.name}", module=origin, line=node.lineno) for alias in node.names
            )
        elif isinstance(node, ast.Call):
            data.update(relative.with_name(beside).as_posix() for beside in _beside(node, file))
    return Module(name=name, file=file, content=content, imports=tuple(imports), data=tuple(sorted(data)))


def _origin(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    above = parts[: len(parts) - node.level + 1]
    return ".".join([*above, node.module] if node.module else above)


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """Walk the tree without what only type checkers see."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            for other in child.orelse:
                yield from _running(other)
        else:
            yield from _running(child)


def _beside(call: ast.Call, file: str) -> Iterator[str]:
    """Yield the literal of ``Path(__file__).with_name("literal")``; refuse imports that no reader can follow."""
    name = ast.unparse(call.func)
    if name in {"importlib.import_module", "import_module", "__import__"}:
        raise DeclarationError(file, call.lineno, "a dynamic import cannot be followed into a bundle")
    if name != "Path(__file__).with_name":
        return
    match call.args:
        case [ast.Constant(value=str() as literal)]:
            yield literal
        case _:
            raise DeclarationError(file, call.lineno, "with_name takes a literal, or the bundle lacks the file")
