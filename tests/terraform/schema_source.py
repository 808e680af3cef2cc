"""Recover the schemas of Terraform's google providers from a Python package, where no provider registry is needed.

``cdktf-cdktf-provider-google`` carries an archive of JavaScript classes that were generated from the schema of
``hashicorp/google``, one folder per resource type. The classes state every argument with its type, whether it is a
block and whether it is required, and every attribute that the provider computes; the comments beside them state the
values an argument admits and its default. That is enough for Terraform to check and plan a configuration against the
words of the real provider.

Run as ``python -m tests.terraform.schema_source DOWNLOADS`` (``nox -s terraform-schema`` downloads the packages
first). It reads ``resource_types.txt`` and writes ``google_6.50.0.schema.json.gz``, in the form of
``terraform providers schema -json``, with ``admits`` and ``default`` added where they are known.

What the classes do not tell: whether an optional argument is also computed (taken as both), which arguments exclude
one another, patterns and ranges of values, and the smallest length of a repeated block beyond "one".
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
VERSION = "6.50.0"
SCHEMA = HERE / f"google_{VERSION}.schema.json.gz"
RESOURCE_TYPES = HERE / "resource_types.txt"
PACKAGES = {"google": "cdktf_cdktf_provider_google", "google-beta": "cdktf_cdktf_provider_google_beta"}
REGISTRY = "registry.terraform.io/hashicorp"

Block = dict[str, Any]

_FUNCTION = re.compile(r"^function (\w+)ToHclTerraform\(struct\) \{\n(.*?)\n\}", re.MULTILINE | re.DOTALL)
_MAIN = re.compile(r"^    synthesizeHclAttributes\(\) \{\n(.*?)\n    \}", re.MULTILINE | re.DOTALL)
_ENTRY = re.compile(
    r"^ {8,16}(?P<name>\w+): \{\n\s+value: (?P<value>.*),\n\s+isBlock: (?P<block>true|false),\n"
    r'\s+type: "(?P<type>\w+)",\n\s+storageClassType: "(?P<storage>\w+)",',
    re.MULTILINE,
)
_PROPERTY = re.compile(r"(?:struct\.|this\._)(\w+)")
_NESTED = re.compile(r"(?<!\.)\b(\w+)ToHclTerraform")
_CLASS = re.compile(r"^class (\w+) extends cdktf\.\w+ \{\n(.*?)\n\}", re.MULTILINE | re.DOTALL)
_COMPUTED = re.compile(r"// (\w+) - computed: true, optional: false, required: false\n(?=(?P<code>(?:.*\n){1,2}))")
_GETTER = re.compile(r"this\.get(String|Number|Boolean|List|NumberList|StringMap|NumberMap|BooleanMap)Attribute\(")
_COLLECTION = re.compile(r'new (\w+?)(List|Map|OutputReference)\(this, "\w+", (true|false)')
_INTERFACE = re.compile(
    r"^export interface (\w+)( extends cdktf\.TerraformMetaArguments)? \{\n(.*?)^\}", re.MULTILINE | re.DOTALL
)
_FIELD = re.compile(
    r"(?:^    /\*\*\n((?:    \*.*\n|(?!    \*/).*\n)*?)    \*/\n)?^    readonly (\w+)(\??):", re.MULTILINE
)
_ADMITTED = re.compile(r'Possible values: \[((?:"[^"]*"(?:, )?)+)\]')
_DEFAULT = re.compile(r'Default value: "([^"]*)"')
_RESOURCE_TYPE = re.compile(r'^\w+\.tfResourceType = "([\w-]+)";', re.MULTILINE)

_SIMPLE = {"string": "string", "number": "number", "boolean": "bool"}
_GETTERS: dict[str, Any] = {
    "String": "string",
    "Number": "number",
    "Boolean": "bool",
    "List": ["list", "string"],
    "NumberList": ["list", "number"],
    "StringMap": ["map", "string"],
    "NumberMap": ["map", "number"],
    "BooleanMap": ["map", "bool"],
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """What an interface says of one argument.

    Attributes:
        required: Whether it must be given.
        admits: The words it may be, where they are listed.
        default: What it is when nothing is given, where that is said.
    """

    required: bool
    admits: tuple[str, ...] = ()
    default: str | None = None

    @classmethod
    def parse(cls, comment: str, optional: str) -> Field:
        """Read the comment above a field, and its question mark."""
        admitted, default = _ADMITTED.search(comment), _DEFAULT.search(comment)
        return cls(
            required=not optional,
            admits=tuple(re.findall(r'"([^"]*)"', admitted[1])) if admitted else (),
            default=default[1] if default and admitted else None,
        )

    def attribute(self, type_: Any) -> dict[str, Any]:
        """Return the schema of the argument, of a type."""
        presence = {"required": True} if self.required else {"optional": True, "computed": True}
        words = {"admits": list(self.admits)} if self.admits else {}
        return {"type": type_, **presence, **words, **({"default": self.default} if self.default else {})}


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """The two files of one resource type, cut to pieces.

    Attributes:
        main: Text of the function that lists the arguments of the resource itself.
        structs: The same of each nested block, by the name of the block's class with a small first letter.
        classes: Text of each class, by name.
        main_class: Name of the resource's own class.
        fields: The fields of each interface; the resource's own under ``""``.
    """

    main: str
    structs: Mapping[str, str]
    classes: Mapping[str, str]
    main_class: str
    fields: Mapping[str, Mapping[str, Field]]

    @classmethod
    def parse(cls, code: str, types: str) -> tuple[str, Source]:
        """Return the name of the resource type and its pieces.

        Args:
            code: Text of ``index.js``.
            types: Text of ``index.d.ts``.

        Raises:
            ValueError: The text is not what the generator writes.
        """
        resource_type, main = _RESOURCE_TYPE.search(code), _MAIN.search(code)
        if resource_type is None or main is None:
            raise ValueError("no resource type")
        name = resource_type[0].partition(".")[0]
        fields = {
            "" if own else interface: {
                field: Field.parse(comment, optional) for comment, field, optional in _FIELD.findall(body)
            }
            for interface, own, body in _INTERFACE.findall(types)
        }
        fields.setdefault("", fields.get(f"{name}Config", {}))  # a provider takes no meta-arguments
        structs = dict(_FUNCTION.findall(code))
        return resource_type[1], cls(
            main=main[1], structs=structs, classes=dict(_CLASS.findall(code)), main_class=name, fields=fields
        )

    def resource(self) -> Block:
        """Return the block of the resource type."""
        return self._block(self.main, self.fields[""], self.main_class)

    def _block(self, entries: str, fields: Mapping[str, Field], owner: str) -> Block:
        attributes: dict[str, Any] = {}
        blocks: dict[str, Any] = {}
        for entry in _ENTRY.finditer(entries):
            property_, nested = _PROPERTY.search(entry["value"]), _NESTED.search(entry["value"])
            if property_ is None:
                raise ValueError(f"{entry['name']}: no property in {entry['value']}")
            # A name that the generator's base class has too carries a suffix in the interface.
            field = fields.get(property_[1]) or fields[f"{property_[1]}Attribute"]
            if nested is None:
                attributes[entry["name"]] = field.attribute(_argument_type(entry))
            else:
                blocks[entry["name"]] = self._nested(entry, nested[1], field.required)
        for name, type_ in self._computed(owner):
            attributes[name] = {"type": type_, "computed": True}
        return {
            key: dict(sorted(value.items()))
            for key, value in (("attributes", attributes), ("block_types", blocks))
            if value
        }

    def _nested(self, entry: re.Match[str], struct: str, needed: bool) -> Block:
        owner = struct[0].upper() + struct[1:]
        nested: Block = {"nesting_mode": "single" if entry["type"] == "struct" else entry["type"]}
        nested["block"] = self._block(self.structs[struct], self.fields[owner], f"{owner}OutputReference")
        if nested["nesting_mode"] != "single":
            if needed:
                nested["min_items"] = 1
            if "listMapperHcl" not in entry["value"]:
                nested["max_items"] = 1
        return nested

    def _computed(self, owner: str) -> Iterator[tuple[str, Any]]:
        for found in _COMPUTED.finditer(self.classes.get(owner, "")):
            yield found[1], self._computed_type(found["code"])

    def _computed_type(self, code: str) -> Any:
        if getter := _GETTER.search(code):
            type_ = _GETTERS[getter[1]]
            return ["set", type_[1]] if "Fn.tolist" in code else type_
        if map_ := re.search(r"new cdktf\.(String|Number|Boolean)Map(List)?\(", code):
            type_ = _GETTERS[f"{map_[1]}Map"]
            return ["list", type_] if map_[2] else type_
        collection = _COLLECTION.search(code)
        if collection is None:
            return "dynamic"
        fields = dict(self._computed(f"{collection[1]}OutputReference"))
        kind = "map" if collection[2] == "Map" else "set" if collection[3] == "true" else "list"
        return [kind, ["object", dict(sorted(fields.items()))]]


def _argument_type(entry: re.Match[str]) -> Any:
    storage = entry["storage"]
    if entry["type"] == "simple":
        return _SIMPLE[storage]
    for suffix, kind in (("List", entry["type"]), ("Map", "map")):
        if storage.endswith(suffix):
            return [kind, _SIMPLE[storage.removesuffix(suffix)]]
    raise ValueError(f"{entry['name']}: unknown type {storage}")


def read_package(wheel: Path) -> Iterator[tuple[str, str, str]]:
    """Yield folder, ``index.js`` and ``index.d.ts`` of everything in a provider's package.

    Args:
        wheel: The downloaded wheel.
    """
    with zipfile.ZipFile(wheel) as outer:
        [name] = [name for name in outer.namelist() if name.endswith(".jsii.tgz")]
        archive = outer.read(name)
    found: dict[str, dict[str, str]] = {}
    with tarfile.open(fileobj=BytesIO(archive)) as inner:
        for member in inner:
            parts = member.name.split("/")
            if len(parts) != 4 or parts[1] != "lib" or parts[3] not in ("index.js", "index.d.ts"):
                continue
            content = inner.extractfile(member)
            if content is not None:
                found.setdefault(parts[2], {})[parts[3]] = content.read().decode()
    for folder, files in sorted(found.items()):
        yield folder, files["index.js"], files["index.d.ts"]


def provider_schema(wheel: Path, wanted: frozenset[str]) -> dict[str, Any]:
    """Return the schema of one provider.

    Args:
        wheel: The package of the provider.
        wanted: Resource types. Data sources are left out: the configuration uses none, it is given what it needs.

    Raises:
        ValueError: The package knows no resource type of a wanted name, or speaks of another provider version.
    """
    schema: dict[str, Any] = {"provider": None, "resource_schemas": {}}
    for folder, code, types in read_package(wheel):
        resource_type = _RESOURCE_TYPE.search(code)
        if resource_type is None or folder.startswith("data-"):
            continue
        if folder != "provider" and resource_type[1] not in wanted:
            continue
        if f"/{VERSION}/docs" not in types:
            raise ValueError(f"{wheel.name} is not made from version {VERSION}")
        name, source = Source.parse(code, types)
        if folder == "provider":
            schema["provider"] = {"version": 0, "block": source.resource()}
            del schema["provider"]["block"]["attributes"]["alias"]  # a word of Terraform, not of the provider
        else:
            schema["resource_schemas"][name] = {"version": 0, "block": source.resource()}
    if unknown := sorted(wanted - set(schema["resource_schemas"])):
        raise ValueError(f"{wheel.name} has no {', '.join(unknown)}")
    return schema


def wanted_types() -> dict[str, frozenset[str]]:
    """Return the resource types to keep, by provider, as ``resource_types.txt`` lists them."""
    wanted: dict[str, set[str]] = {provider: set() for provider in PACKAGES}
    for line in RESOURCE_TYPES.read_text(encoding="utf-8").splitlines():
        words = line.partition("#")[0].split()
        if words:
            provider, reference = words
            wanted[provider].add(reference)
    return {provider: frozenset(names) for provider, names in wanted.items()}


def build(downloads: Path) -> dict[str, Any]:
    """Return the schemas of all providers, from the wheels in a folder."""
    schemas = {}
    for provider, wanted in wanted_types().items():
        [wheel] = downloads.glob(f"{PACKAGES[provider]}-*.whl")
        schemas[f"{REGISTRY}/{provider}"] = provider_schema(wheel, wanted)
    return {"format_version": "1.0", "provider_schemas": schemas}


def load() -> dict[str, Any]:
    """Return the committed schemas, by address of the provider."""
    document = json.loads(gzip.decompress(SCHEMA.read_bytes()))
    schemas: dict[str, Any] = document["provider_schemas"]
    return schemas


def main(arguments: list[str]) -> int:
    """Write the schema file from the wheels in the folder that is named."""
    document = build(Path(arguments[0]))
    text = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    SCHEMA.write_bytes(gzip.compress(text, 9, mtime=0))
    counts = {address: len(schema["resource_schemas"]) for address, schema in document["provider_schemas"].items()}
    sys.stdout.write(f"{SCHEMA.name}: {SCHEMA.stat().st_size} bytes, {counts}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
