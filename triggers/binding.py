"""What a handler asks for, resolved once when it is decorated."""

from __future__ import annotations

import inspect
import types
import typing
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError
from pydantic_core import SchemaValidator

from common.context import Context
from common.errors import BadRequest, ConfigurationError, FieldError, Unprocessable
from common.uploads import Upload
from triggers import bodies
from triggers.served import place_of


def parameters_of(handler: Callable[..., Any]) -> dict[str, Any]:
    """Return the handler's parameters with their resolved annotations, in order.

    Raises:
        ConfigurationError: One is not annotated, cannot be resolved, or is variadic.
    """
    try:
        hints = typing.get_type_hints(handler)
    except NameError as error:
        raise ConfigurationError(f"{place_of(handler)}: an annotation cannot be resolved: {error}") from error
    found: dict[str, Any] = {}
    for name, parameter in inspect.signature(handler).parameters.items():
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY}:
            raise ConfigurationError(f"{place_of(handler)}: parameter {name!r} must be an ordinary parameter")
        if name not in hints:
            raise ConfigurationError(f"{place_of(handler)}: parameter {name!r} is not annotated")
        found[name] = hints[name]
    return found


def without_none(annotation: Any) -> tuple[Any, bool]:
    """Return an annotation without ``None``, and whether it had it."""
    members = typing.get_args(annotation)
    if typing.get_origin(annotation) in {typing.Union, types.UnionType} and type(None) in members:
        rest = [member for member in members if member is not type(None)]
        return (rest[0], True) if len(rest) == 1 else (typing.Union[tuple(rest)], True)  # noqa: UP007 - built at run time
    return annotation, False


class QueryReader:
    """Reads a query string into a model: repeated names make lists, everything else may be given once."""

    def __init__(self, model: type[BaseModel] | None) -> None:
        self._validator = model.__pydantic_validator__ if model is not None else None
        self._lists = {
            field.alias or name
            for name, field in (model.model_fields.items() if model is not None else ())
            if typing.get_origin(without_none(field.annotation)[0]) in {list, set, tuple, frozenset}
        }

    def read(self, query: str) -> Any:
        """Return the validated model, or None where the handler takes no query.

        Raises:
            Unprocessable: An unknown or invalid parameter, each with a pointer ``query:name``.
        """
        if not query and self._validator is None:
            return None
        given: dict[str, Any] = {}
        repeated: list[FieldError] = []
        for name, value in _pairs(query):
            if name in self._lists:
                given.setdefault(name, []).append(value)
            elif name in given:
                repeated.append(FieldError(pointer=f"query:{name}", code="repeated", message="may be given once"))
            else:
                given[name] = value
        if repeated:
            raise bodies.invalid(repeated)
        if self._validator is None:
            raise bodies.invalid([_unknown(name) for name in given])
        try:
            return self._validator.validate_python(given)
        except ValidationError as error:
            raise _in_query(error, given) from error


def _pairs(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=200)
    except ValueError as error:
        raise BadRequest("malformed_query", "the query string is not UTF-8, or has too many parameters") from error


def _unknown(name: str) -> FieldError:
    return FieldError(pointer=f"query:{name}", code="unknown_field", message="this operation has no such parameter")


def _in_query(error: ValidationError, given: Mapping[str, Any]) -> Unprocessable:
    found = bodies.field_errors(error.errors(include_url=False, include_context=False), given)
    return bodies.invalid(
        [FieldError(pointer=f"query:{one.pointer.lstrip('/')}", code=one.code, message=one.message) for one in found]
    )


@dataclass(kw_only=True)
class HttpBinding:
    """What an HTTP handler asks for.

    Attributes:
        path_types: Types of its path parameters.
        body: Validator of its body; None if it takes none.
        body_required: Whether the body may be missing.
        upload: Whether it takes the raw body.
        query: Reader of the query string.
        context: Whether it takes the context.
    """

    path_types: dict[str, type] = field(default_factory=dict)
    body: SchemaValidator | None = None
    body_required: bool = True
    upload: bool = False
    query: QueryReader = field(default_factory=lambda: QueryReader(None))
    context: str | None = None


def bind_http(handler: Callable[..., Any], path_parameters: Collection[str]) -> HttpBinding:
    """Resolve an HTTP handler's parameters.

    Raises:
        ConfigurationError: A parameter that nothing can be given for, or a path parameter that it does not take.
    """
    parameters = parameters_of(handler)
    missing = [name for name in path_parameters if name not in parameters]
    if missing:
        raise ConfigurationError(f"{place_of(handler)}: the path has {missing[0]!r}, the handler has not")
    binding = HttpBinding()
    for name, annotation in parameters.items():
        if name in path_parameters and annotation in {str, uuid.UUID}:
            binding.path_types[name] = annotation
        elif annotation is Context:
            binding.context = name
        elif name == "upload" and annotation is Upload:
            binding.upload = True
        elif name == "query" and isinstance(annotation, type) and issubclass(annotation, BaseModel):
            binding.query = QueryReader(annotation)
        elif name == "body":
            model, optional = without_none(annotation)
            binding.body, binding.body_required = bodies.validator_of(model), not optional
        else:
            raise ConfigurationError(
                f"{place_of(handler)}: nothing can be given for parameter {name!r} of type {annotation!r}"
            )
    if binding.upload and binding.body is not None:
        raise ConfigurationError(f"{place_of(handler)}: 'body' and 'upload' exclude each other")
    return binding


def bind_event(handler: Callable[..., Any], kinds: Collection[type], *, body: bool) -> dict[str, Any]:
    """Resolve the parameters of an event handler: values by type, and for tasks a ``body`` model by name.

    Raises:
        ConfigurationError: A parameter that nothing can be given for.
    """
    parameters = parameters_of(handler)
    for name, annotation in parameters.items():
        is_body = body and name == "body" and isinstance(annotation, type) and issubclass(annotation, BaseModel)
        if annotation is not Context and annotation not in kinds and not is_body:
            raise ConfigurationError(
                f"{place_of(handler)}: nothing can be given for parameter {name!r} of type {annotation!r}"
            )
    return parameters
