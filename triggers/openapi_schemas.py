"""JSON Schemas of the models for OpenAPI, described by the models' own docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, cast

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

REFERENCE = "#/components/schemas/{model}"
Mode = Literal["validation", "serialization"]
Schema = dict[str, Any]
Schemas = Mapping[tuple[type[BaseModel], Mode], Schema]


class DescribedSchemas(GenerateJsonSchema):
    """Adds what the ``Attributes:`` section of a model's docstring says to its properties, and drops noisy titles."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """Return the schema of a model."""
        described = super().model_schema(schema)
        model: type[BaseModel] = schema["cls"]
        properties = described.get("properties", {})
        for name, text in attribute_descriptions(model).items():
            field = model.model_fields.get(name)
            shown = name if field is None else field.serialization_alias or field.alias or name
            if shown in properties:
                properties[shown].setdefault("description", text)
        for shown_property in properties.values():
            if "description" in shown_property:
                shown_property["description"] = plain(shown_property["description"])
        summary = plain(_documentation(model).partition("\nAttributes:")[0].strip())
        if summary:
            described["description"] = summary
        return described

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - the framework's signature
        """Leave out titles that only repeat the field's name."""
        return False


def _documentation(model: type[BaseModel]) -> str:
    """Return a model's docstring; a generic model with arguments has that of the model without."""
    origin = model.__pydantic_generic_metadata__["origin"] or model
    return inspect.cleandoc(vars(origin).get("__doc__") or "")


def attribute_descriptions(model: type[BaseModel]) -> dict[str, str]:
    """Return what the docstrings of a model and its bases say about each attribute."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            found.update(_attributes(_documentation(base)))
    return found


def _attributes(text: str) -> dict[str, str]:
    section = text.partition("\nAttributes:\n")[2]
    found: dict[str, list[str]] = {}
    name = ""
    for line in section.splitlines():
        if line and not line.startswith(" "):
            break
        start = re.match(r" {4}(\w+)(?: \([^)]*\))?: (.*)", line)
        if start:
            name = start[1]
            found[name] = [start[2]]
        elif name and line.strip():
            found[name].append(line.strip())
    return {name: plain(" ".join(lines)) for name, lines in found.items()}


def plain(text: str) -> str:
    """Turn the double backquotes of docstrings into the single ones that OpenAPI's Markdown has."""
    return text.replace("``", "`")


def schemas_of(models: Iterable[tuple[type[BaseModel], Mode]]) -> tuple[Schemas, dict[str, Schema]]:
    """Return the schema of each model (a reference) and the definitions they refer to."""
    references, definitions = models_json_schema(
        sorted(set(models), key=lambda pair: (pair[0].__module__, pair[0].__qualname__, pair[1])),
        ref_template=REFERENCE,
        schema_generator=DescribedSchemas,
    )
    return cast("Schemas", references), dict(sorted(definitions.get("$defs", {}).items()))
