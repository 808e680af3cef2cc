"""Hold the declared composite indexes against the code: one that no query names is paid for with every write.

Read from the sources, without running anything: an index is in use if some module that handles its collection, with the
modules of the same domain that it imports, names every field of the index in a filter or an order. That is a necessary
condition only; the tests ask the emulator which queries really used which index.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.errors import DeclarationError
from triggers.manifest import ROOT

IMPLIED = frozenset({"tenant_id", "tenantId"})
"""Fields that every query of a tenant's documents filters by."""
_FIELD = re.compile(r"-?[A-Za-z_][A-Za-z0-9_.]*")


@dataclass(frozen=True, kw_only=True, slots=True)
class DeclaredIndex:
    """A composite index where it is declared.

    Attributes:
        owner: Name of the value that declares it, such as ``KEYWORDS``.
        fields: Its fields.
        file: Path relative to the repository.
        line: Line.
    """

    owner: str
    fields: tuple[str, ...]
    file: str
    line: int


def declared_indexes(root: Path = ROOT) -> list[DeclaredIndex]:
    """Return every ``Index(...)`` of an entity or a technical collection."""
    found: list[DeclaredIndex] = []
    files = [*sorted((root / "common").rglob("entities.py")), root / "common" / "technical.py"]
    for file in filter(Path.exists, files):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            target = node.targets[0] if isinstance(node, ast.Assign) else None
            if isinstance(node, ast.Assign) and isinstance(target, ast.Name):
                found += _indexes(target.id, node.value, file.relative_to(root).as_posix())
    return found


def _indexes(owner: str, value: ast.expr, file: str) -> Iterator[DeclaredIndex]:
    for call in ast.walk(value):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Index":
            fields = [each for word in call.keywords if word.arg == "fields" for each in ast.walk(word.value)]
            names = tuple(str(each.value) for each in fields if isinstance(each, ast.Constant))
            yield DeclaredIndex(owner=owner, fields=names, file=file, line=call.lineno)


def idle_indexes(root: Path = ROOT) -> list[DeclaredIndex]:
    """Return the indexes of which no module that handles the collection names every field."""
    modules = {file: _Module.read(file) for file in sorted((root / "common").rglob("*.py"))}
    found = []
    for index in declared_indexes(root):
        wanted = {field.removeprefix("-").removesuffix("[]") for field in index.fields} - IMPLIED
        own = [module for file, module in modules.items() if index.owner in module.names and _asks(file)]
        if not any(wanted <= _named(module, modules, root) for module in own):
            found.append(index)
    return found


def _asks(file: Path) -> bool:
    return file.name != "entities.py"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Module:
    names: frozenset[str]
    words: frozenset[str]
    imports: tuple[str, ...]

    @classmethod
    def read(cls, file: Path) -> _Module:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        names, words, imports = set[str](), set[str](), list[str]()
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                names.add(node.id)
            elif isinstance(node, ast.keyword) and node.arg:
                words.add(node.arg)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _FIELD.fullmatch(node.value):
                words.add(node.value.removeprefix("-"))
            elif isinstance(node, ast.ImportFrom) and node.module:
                imports += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                words.add(node.target.id)  # a field of a query's model, by which it filters
        return cls(names=frozenset(names), words=frozenset(words), imports=tuple(imports))


def _named(module: _Module, modules: dict[Path, _Module], root: Path) -> set[str]:
    """Return the words of a module and of the modules of ours that it imports, entities left out."""
    words = set(module.words)
    for name in module.imports:
        file = root.joinpath(*name.split(".")).with_suffix(".py")
        if file in modules and _asks(file):
            words |= modules[file].words
    return words


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    """Tell the indexes that nothing uses; return 1 if there is any."""
    del arguments
    idle = idle_indexes(root)
    for index in idle:
        refused = DeclarationError(index.file, index.line, f"no query uses the index {', '.join(index.fields)}")
        sys.stderr.write(f"{refused}\n")
    return 1 if idle else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
