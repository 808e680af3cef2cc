"""What is looked for where nothing is declared: a person's identifiers and their digests, in texts, bytes and files.

Where records have fields, people are found by them. A stored answer, a cached one or a file has none, so its content is
searched for every identifier of the person: as it is, as it stands in a URL, and as its SHA-256 in hexadecimal.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any, Literal
from urllib.parse import quote

from common.platform.privacy.person import Person

Form = Literal["value", "digest"]
SHORTEST = 4
"""Characters below which an identifier is searched for as a whole value only: ``al`` is in every text."""
LARGEST = 64 * 1_048_576
"""Bytes of a packed file that are looked into."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Needle:
    """One thing to look for.

    Attributes:
        kind: Of the identifier.
        form: Whether it is the identifier or its digest.
        text: What is looked for, in lower case.
        value: The identifier.
    """

    kind: str
    form: Form
    text: str
    value: str


class Needles:
    """Everything that is looked for of a person."""

    def __init__(self, person: Person) -> None:
        self.needles = list(_made(person))
        forms = sorted((re.escape(each.text) for each in self.needles if len(each.text) >= SHORTEST), key=len)
        self._text = re.compile("|".join(reversed(forms)) or r"(?!)")
        self._bytes = re.compile(("|".join(reversed(forms)) or r"(?!)").encode())
        self._by_text = {each.text: each for each in self.needles}

    def within(self, value: Any) -> set[tuple[str, Form]]:
        """Return kind and form of what is anywhere in a value."""
        return {(each.kind, each.form) for each in self._found(value)}

    def matches(self, value: Any) -> bool:
        """Tell whether anything is anywhere in a value."""
        return next(self._found(value), None) is not None

    def replaced(self, value: Any, replace: Callable[[str, str], str]) -> Any:
        """Return a value with everything found put out of the way."""
        match value:
            case str():
                exact = self._by_text.get(value.lower())
                if exact is not None:
                    return replace(exact.kind, exact.value)
                return _anywhere(self._text).sub(lambda match: self._pseudonym(match[0], replace), value)
            case bytes():
                return self._bytes_replaced(value, replace)
            case Mapping():
                return {self.replaced(name, replace): self.replaced(each, replace) for name, each in value.items()}
            case list():
                return [self.replaced(each, replace) for each in value]
            case _:
                return value

    def _bytes_replaced(self, value: bytes, replace: Callable[[str, str], str]) -> bytes:
        pattern = re.compile(self._bytes.pattern, re.IGNORECASE)
        return pattern.sub(lambda match: self._pseudonym(match[0].decode(), replace).encode(), value)

    def _pseudonym(self, text: str, replace: Callable[[str, str], str]) -> str:
        needle = self._by_text[text.lower()]
        return replace(needle.kind, needle.value)

    def _found(self, value: Any) -> Iterator[Needle]:
        match value:
            case str():
                folded = value.lower()
                if folded in self._by_text:
                    yield self._by_text[folded]
                yield from (self._by_text[match[0]] for match in self._text.finditer(folded))
            case bytes():
                yield from (self._by_text[match[0].decode()] for match in self._bytes.finditer(value.lower()))
            case Mapping():
                for name, each in value.items():
                    yield from self._found(str(name))
                    yield from self._found(each)
            case list() | tuple():
                for each in value:
                    yield from self._found(each)
            case _:
                return

    def in_stream(self, chunks: Iterable[bytes], *, name: str = "") -> set[tuple[str, Form]]:
        """Return what is in a file that is read chunk by chunk; packed files are looked into."""
        if name.endswith((".zip", ".xlsx")):
            return self._in_zip(_joined(chunks))
        found: set[tuple[str, Form]] = set()
        rest = b""
        reach = max((len(each.text.encode()) for each in self.needles), default=1)
        for chunk in _unpacked(chunks) if name.endswith(".gz") else chunks:
            text = rest + chunk
            found |= self.within(text)
            rest = text[-reach:]
        return found

    def _in_zip(self, content: bytes) -> set[tuple[str, Form]]:
        found: set[tuple[str, Form]] = set()
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as packed:
                for entry in packed.namelist():
                    with packed.open(entry) as file:
                        found |= self.in_stream(_read(file))
        except zipfile.BadZipFile:
            return self.within(content)
        return found


def _anywhere(pattern: re.Pattern[str]) -> re.Pattern[str]:
    return re.compile(pattern.pattern, re.IGNORECASE)


def _made(person: Person) -> Iterator[Needle]:
    for kind, value in person.identifiers():
        text = value.lower()
        for form in dict.fromkeys((text, quote(text, safe="").lower())):
            yield Needle(kind=kind, form="value", text=form, value=value)
        for spelling in {value, text}:
            digest = hashlib.sha256(spelling.encode()).hexdigest()
            yield Needle(kind=kind, form="digest", text=digest, value=value)


def _joined(chunks: Iterable[bytes]) -> bytes:
    content = bytearray()
    for chunk in chunks:
        content += chunk
        if len(content) > LARGEST:
            break
    return bytes(content)


def _read(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(1_048_576):
        yield chunk


def _unpacked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(wbits=47)
    try:
        for chunk in chunks:
            content = unpacker.decompress(chunk, 1_048_576)
            while content:
                yield content
                content = unpacker.decompress(unpacker.unconsumed_tail, 1_048_576)
    except zlib.error:
        return
