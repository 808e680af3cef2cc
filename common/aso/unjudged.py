"""Rows of a batch in the body's model: let pass as they are, described as what they should be."""

from __future__ import annotations

from typing import Generic, TypeVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from common.model import Model

Row = TypeVar("Row", bound=Model)


class Unjudged(Generic[Row]):
    """Marks a row that the body's model lets pass as it is, described to callers by the schema of ``model``.

    Args:
        model: The model that the operation will hold each row against.
    """

    def __init__(self, model: type[Row]) -> None:
        self._model = model

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Take anything."""
        return core_schema.any_schema()

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe the model."""
        return handler(self._model.__pydantic_core_schema__)
