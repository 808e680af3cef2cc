"""Examples of requests: the models' own where they have them, otherwise made from their schemas.

An example that its own model refuses is worse than none, so each one is validated.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from common.errors import DeclarationError

FORMATS = {
    "date": "2026-05-17",
    "date-time": "2026-05-17T09:30:00Z",
    "uuid": "0197a3c2-5b7e-7d21-9c4e-3f8a1b2c4d5e",
    "uri": "https://www.example.com/guide",
    "email": "ada@example.com",
}
DEFAULT_FILE = "keyword,search_volume,difficulty\nrunning shoes,5400,38\n"
FILES = {"text/tab-separated-values": DEFAULT_FILE.replace(",", "\t")}
"""What an uploaded file may look like, by media type."""


def request_example(annotation: Any, schema: Mapping[str, Any], definitions: Mapping[str, Any], file: str) -> Any:
    """Return a request body that the handler's annotation accepts.

    Raises:
        DeclarationError: The example is refused; the model needs ``examples`` of its own.
    """
    example = example_of(schema, definitions)
    try:
        TypeAdapter(annotation).validate_json(json.dumps(example))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        detail = f"the example of its request is refused at {where!r} ({first['msg']}): give the model's field examples"
        raise DeclarationError(file, 1, detail) from error
    return example


def example_of(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Any:
    """Return a value for a schema: its first example, its default, its constant, or something of its type."""
    if "$ref" in schema and not schema.get("examples"):
        return example_of(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if schema.get("examples"):
        return schema["examples"][0]
    for name in ("const", "default"):
        if schema.get(name) is not None:
            return schema[name]
    if "enum" in schema:
        return schema["enum"][0]
    for name in ("anyOf", "oneOf", "allOf"):
        if name in schema:
            return example_of(next(one for one in schema[name] if one.get("type") != "null"), definitions)
    return _of_type(schema, definitions)


def _of_type(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Any:
    match schema.get("type"):
        case "object":
            return _object(schema, definitions)
        case "array":
            return [example_of(schema.get("items", {}), definitions)] if schema.get("minItems", 1) else []
        case "string":
            text = FORMATS.get(schema.get("format", ""), "example")
            return text.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength")]
        case "integer" | "number":
            return schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
        case "boolean":
            return True
    return None


def _object(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in what is required, and what has an example."""
    required = schema.get("required", [])
    return {
        name: example_of(field, definitions)
        for name, field in schema.get("properties", {}).items()
        if name in required or field.get("examples")
    }
