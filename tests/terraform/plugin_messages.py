"""The messages of Terraform's plugin protocol 6 that a provider needs which only checks and plans.

Terraform talks to providers over gRPC. Only the fields used here are declared, with the numbers that the protocol
gives them; others are ignored on the way in and absent on the way out, as protocol buffers allow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "tfplugin6"
SERVICE = f"{PACKAGE}.Provider"

_KINDS = {"bytes": 12, "string": 9, "bool": 8, "int64": 3, "enum": 5}
"""Wire types; an enumeration travels as its number."""

_SHARED: Mapping[str, Mapping[str, tuple[int, str]]] = {
    "DynamicValue": {"msgpack": (1, "bytes"), "json": (2, "bytes")},
    "Step": {"attribute_name": (1, "string"), "element_key_string": (2, "string"), "element_key_int": (3, "int64")},
    "AttributePath": {"steps": (1, "*Step")},
    "Diagnostic": {
        "severity": (1, "enum"),
        "summary": (2, "string"),
        "detail": (3, "string"),
        "attribute": (4, "AttributePath"),
    },
    "Attribute": {
        "name": (1, "string"),
        "type": (2, "bytes"),
        "required": (4, "bool"),
        "optional": (5, "bool"),
        "computed": (6, "bool"),
    },
    "NestedBlock": {
        "type_name": (1, "string"),
        "block": (2, "Block"),
        "nesting": (3, "enum"),
        "min_items": (4, "int64"),
        "max_items": (5, "int64"),
    },
    "Block": {"attributes": (2, "*Attribute"), "block_types": (3, "*NestedBlock")},
    "Schema": {"version": (1, "int64"), "block": (2, "Block")},
    "SchemaEntry": {"key": (1, "string"), "value": (2, "Schema")},
    "RawState": {"json": (1, "bytes")},
}

_DIAGNOSTICS = "*Diagnostic"
_CALLS: Mapping[str, tuple[Mapping[str, tuple[int, str]], Mapping[str, tuple[int, str]]]] = {
    "GetProviderSchema": (
        {},
        {"provider": (1, "Schema"), "resource_schemas": (2, "*SchemaEntry")},
    ),
    "ValidateProviderConfig": ({"config": (1, "DynamicValue")}, {"diagnostics": (2, _DIAGNOSTICS)}),
    "ValidateResourceConfig": (
        {"type_name": (1, "string"), "config": (2, "DynamicValue")},
        {"diagnostics": (1, _DIAGNOSTICS)},
    ),
    "UpgradeResourceState": (
        {"type_name": (1, "string"), "raw_state": (3, "RawState")},
        {"upgraded_state": (1, "DynamicValue"), "diagnostics": (2, _DIAGNOSTICS)},
    ),
    "ConfigureProvider": ({"config": (2, "DynamicValue")}, {"diagnostics": (1, _DIAGNOSTICS)}),
    "ReadResource": (
        {"type_name": (1, "string"), "current_state": (2, "DynamicValue")},
        {"new_state": (1, "DynamicValue"), "diagnostics": (2, _DIAGNOSTICS)},
    ),
    "PlanResourceChange": (
        {"type_name": (1, "string"), "prior_state": (2, "DynamicValue"), "proposed_new_state": (3, "DynamicValue")},
        {"planned_state": (1, "DynamicValue"), "diagnostics": (4, _DIAGNOSTICS), "legacy_type_system": (5, "bool")},
    ),
    "ApplyResourceChange": (
        {"type_name": (1, "string"), "prior_state": (2, "DynamicValue"), "planned_state": (3, "DynamicValue")},
        {"new_state": (1, "DynamicValue"), "diagnostics": (3, _DIAGNOSTICS), "legacy_type_system": (4, "bool")},
    ),
    "StopProvider": ({}, {"Error": (1, "string")}),
}

CALLS = tuple(_CALLS)


def _declare(file: descriptor_pb2.FileDescriptorProto, name: str, fields: Mapping[str, tuple[int, str]]) -> None:
    message = file.message_type.add(name=name)
    for field, (number, written) in fields.items():
        kind = written.removeprefix("*")
        added = message.field.add(name=field, number=number, label=1 if kind == written else 3)
        if kind in _KINDS:
            added.type = _KINDS[kind]
        else:
            added.type, added.type_name = 11, f".{PACKAGE}.{kind}"


def message_classes() -> Mapping[str, Any]:
    """Return the message classes by name; requests and responses as ``<call>Request`` and ``<call>Response``.

    The syntax is proto2, so that a key of 0 in a path is sent like any other.
    """
    file = descriptor_pb2.FileDescriptorProto(name="terraform_plugin.proto", package=PACKAGE, syntax="proto2")
    for name, fields in _SHARED.items():
        _declare(file, name, fields)
    for call, (request, response) in _CALLS.items():
        _declare(file, f"{call}Request", request)
        _declare(file, f"{call}Response", response)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        message.name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{message.name}"))
        for message in file.message_type
    }
