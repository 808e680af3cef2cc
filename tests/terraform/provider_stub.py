"""A provider for Terraform that knows the schema of Google's and nothing of Google: it checks and plans, offline.

Terraform itself does the work of a plan: it evaluates expressions, follows modules and references and compares the
result with the schema. The provider is asked for that schema, for its opinion of a resource's arguments and for the
values it would fill in. This one answers from ``google_6.50.0.schema.json.gz``, refuses words that an argument does not
admit, and leaves what the real provider computes unknown, or foretells it. It cannot apply anything.

``with provider_stub() as environment`` gives the environment variables under which ``terraform`` uses it in place of
``hashicorp/google`` and ``hashicorp/google-beta``, without a registry. By hand:
``python -m tests.terraform.provider_stub terraform plan``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import msgpack

from tests.terraform.plugin_messages import CALLS, SERVICE, message_classes
from tests.terraform.schema_source import load

MESSAGES = message_classes()
UNKNOWN = msgpack.ExtType(0, b"\0")
"""How a value that is not known before the apply travels."""

NESTING = {"single": 1, "list": 2, "set": 3}
ERROR = 1
COMPUTED_WHEN_ABSENT = frozenset({"id", "address"})
"""Optional arguments that configurations refer to and the real provider fills in after the apply."""

PROVIDER_WIDE = ("project", "region", "zone")
"""Optional arguments that the real provider takes from its own configuration."""

IDENTITIES = ("name", "account_id", "secret_id", "table_id", "dataset_id", "api_id", "api_config_id", "gateway_id")
"""Arguments that name a resource, the narrower first."""

COLLECTIONS = {
    "google_pubsub_topic": "topics",
    "google_pubsub_subscription": "subscriptions",
    "google_secret_manager_secret": "secrets",
}

Schema = Mapping[str, Any]


def _unpack(value: Any) -> Any:
    return msgpack.unpackb(value.msgpack, strict_map_key=False) if value.msgpack else json.loads(value.json or "null")


def _packed(value: Any) -> Any:
    return MESSAGES["DynamicValue"](msgpack=msgpack.packb(value))


def _block_message(block: Schema) -> Any:
    message = MESSAGES["Block"]()
    for name, attribute in block.get("attributes", {}).items():
        flags = {flag: True for flag in ("required", "optional", "computed") if attribute.get(flag)}
        message.attributes.add(name=name, type=json.dumps(attribute["type"]).encode(), **flags)
    for name, nested in block.get("block_types", {}).items():
        message.block_types.add(
            type_name=name,
            block=_block_message(nested["block"]),
            nesting=NESTING[nested["nesting_mode"]],
            min_items=nested.get("min_items", 0),
            max_items=nested.get("max_items", 0),
        )
    return message


def _schema_message(schema: Schema) -> Any:
    return MESSAGES["Schema"](version=schema["version"], block=_block_message(schema["block"]))


def _elements(nested: Schema, value: Any) -> list[tuple[int | None, Any]]:
    """Return the blocks in a value, with their position where they have one; a value may be unknown as a whole."""
    if nested["nesting_mode"] == "single":
        return [(None, value)] if isinstance(value, dict) else []
    return list(enumerate(value)) if isinstance(value, list) else []


def _refusals(block: Schema, value: Mapping[str, Any], path: tuple[str | int, ...] = ()) -> Iterator[Any]:
    """Yield a diagnostic for every word that an argument does not admit."""
    for name, attribute in block.get("attributes", {}).items():
        given = value.get(name)
        words = given if isinstance(given, list) else [given]
        for word in words:
            if isinstance(word, str) and "admits" in attribute and word not in attribute["admits"]:
                yield _diagnostic(f'expected {name} to be one of {attribute["admits"]}, got "{word}"', (*path, name))
    for name, nested in block.get("block_types", {}).items():
        for position, element in _elements(nested, value.get(name)):
            here = (*path, name) if position is None else (*path, name, position)
            if isinstance(element, dict):
                yield from _refusals(nested["block"], element, here)


def _diagnostic(summary: str, path: tuple[str | int, ...] = ()) -> Any:
    message = MESSAGES["Diagnostic"](severity=ERROR, summary=summary)
    for step in path:
        message.attribute.steps.add(**{"element_key_int" if isinstance(step, int) else "attribute_name": step})
    return message


Foretell = Callable[[str, Any], Any]
"""Gives the value of a computed attribute from its name and type."""


def _unknown(name: str, type_: Any) -> Any:
    return UNKNOWN


def _foretelling(type_name: str, value: Mapping[str, Any], given: Mapping[str, Any]) -> Foretell:
    """Return what tells references to a resource apart: its names as the real provider forms them, or made up ones."""
    identity = next((value[name] for name in IDENTITIES if isinstance(value.get(name), str)), None)
    if identity is None:
        return _unknown
    project = value.get("project") or given.get("project", "")
    names: dict[str, str] = {}
    if type_name == "google_service_account":
        email = f"{identity}@{project}.iam.gserviceaccount.com"
        names = {"email": email, "member": f"serviceAccount:{email}"}
        names["id"] = names["name"] = f"projects/{project}/serviceAccounts/{email}"
    elif collection := COLLECTIONS.get(type_name):
        names = {"id": f"projects/{project}/{collection}/{identity}"}

    def foretell(name: str, type_: Any) -> Any:
        return names.get(name, f"<{type_name} {identity} {name}>") if type_ == "string" else UNKNOWN

    return foretell


def _planned(
    block: Schema, value: Mapping[str, Any], given: Mapping[str, Any], foretell: Foretell = _unknown
) -> dict[str, Any]:
    """Fill in what the provider computes: unknown or foretold, or its default, or its own project."""
    planned = dict(value)
    for name, attribute in block.get("attributes", {}).items():
        if planned.get(name) is not None or not attribute.get("computed"):
            continue
        if name in given:
            planned[name] = given[name]
        elif not attribute.get("optional") or name in COMPUTED_WHEN_ABSENT:
            planned[name] = foretell(name, attribute["type"])
        else:
            planned[name] = attribute.get("default")
    for name, nested in block.get("block_types", {}).items():
        elements = [
            _planned(nested["block"], element, {}, foretell) if isinstance(element, dict) else element
            for _, element in _elements(nested, planned.get(name))
        ]
        if elements:
            planned[name] = elements[0] if nested["nesting_mode"] == "single" else elements
    return planned


class Stub:
    """One provider: a method per call of the protocol.

    Attributes:
        schema: Its schemas, as ``schema_source.load`` gives them.
        foretell: Whether to give computed names a value instead of leaving them unknown.
        given: Its own arguments that its resources fall back to.
    """

    def __init__(self, schema: Schema, *, foretell: bool = False) -> None:
        self.schema = schema
        self.foretell = foretell
        self.given: dict[str, Any] = {}

    def GetProviderSchema(self, request: Any) -> dict[str, Any]:  # noqa: N802  # a name of the protocol
        """Answer with every schema."""
        return {
            "provider": _schema_message(self.schema["provider"]),
            "resource_schemas": [
                MESSAGES["SchemaEntry"](key=name, value=_schema_message(schema))
                for name, schema in self.schema["resource_schemas"].items()
            ],
        }

    def ValidateProviderConfig(self, request: Any) -> dict[str, Any]:  # noqa: N802
        """Have no opinion."""
        return {}

    def ValidateResourceConfig(self, request: Any) -> dict[str, Any]:  # noqa: N802
        """Refuse words that an argument does not admit."""
        block = self.schema["resource_schemas"][request.type_name]["block"]
        return {"diagnostics": list(_refusals(block, _unpack(request.config)))}

    def UpgradeResourceState(self, request: Any) -> dict[str, Any]:  # noqa: N802
        """Return the state as it is."""
        return {"upgraded_state": MESSAGES["DynamicValue"](json=request.raw_state.json)}

    def ConfigureProvider(self, request: Any) -> dict[str, Any]:  # noqa: N802
        """Remember what resources fall back to."""
        config = _unpack(request.config)
        self.given = {name: config[name] for name in PROVIDER_WIDE if config.get(name) is not None}
        return {}

    def ReadResource(self, request: Any) -> dict[str, Any]:  # noqa: N802
        """Return the state as it is."""
        return {"new_state": request.current_state}

    def PlanResourceChange(self, request: Any) -> dict[str, Any]:  # noqa: N802
        """Plan what Terraform proposes, with what the provider computes filled in."""
        proposed = _unpack(request.proposed_new_state)
        if proposed is None:
            return {"planned_state": request.proposed_new_state}
        block = self.schema["resource_schemas"][request.type_name]["block"]
        foretell = _foretelling(request.type_name, proposed, self.given) if self.foretell else _unknown
        return {"planned_state": _packed(_planned(block, proposed, self.given, foretell)), "legacy_type_system": True}

    def ApplyResourceChange(self, request: Any) -> dict[str, Any]:  # noqa: N802
        """Refuse: there is no cloud here."""
        return {"new_state": request.prior_state, "diagnostics": [_diagnostic("this provider only plans")]}

    def StopProvider(self, request: Any) -> dict[str, Any]:  # noqa: N802
        """Have nothing to stop."""
        return {}

    def handlers(self) -> Any:
        """Return the gRPC service."""

        def handler(call: str) -> Any:
            response, method = MESSAGES[f"{call}Response"], getattr(self, call)
            return grpc.unary_unary_rpc_method_handler(
                lambda request, context: response(**method(request)),
                request_deserializer=MESSAGES[f"{call}Request"].FromString,
                response_serializer=response.SerializeToString,
            )

        return grpc.method_handlers_generic_handler(SERVICE, {call: handler(call) for call in CALLS})


@contextmanager
def _serving(stub: Stub, socket: Path) -> Iterator[dict[str, Any]]:
    unlimited = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    with ThreadPoolExecutor(max_workers=8) as workers:
        server = grpc.server(workers, options=unlimited)
        server.add_generic_rpc_handlers((stub.handlers(),))
        server.add_insecure_port(f"unix:{socket}")
        server.start()
        try:
            yield {
                "Protocol": "grpc",
                "ProtocolVersion": 6,
                "Pid": os.getpid(),
                "Test": True,  # Terraform must not end this process
                "Addr": {"Network": "unix", "String": str(socket)},
            }
        finally:
            server.stop(grace=None).wait()


@contextmanager
def provider_stub(*, foretell: bool = False) -> Iterator[dict[str, str]]:
    """Serve every provider of the schema file while the block runs.

    Args:
        foretell: Give ids, addresses and accounts their likely value, so that a plan shows which resource refers to
            which. Without it they are unknown, as with the real provider: only then does Terraform refuse what it
            cannot plan with them.

    Yields:
        The environment variables that make ``terraform`` use them.
    """
    with tempfile.TemporaryDirectory(prefix="stub") as name, ExitStack() as running:
        folder = Path(name)
        (folder / "terraformrc").touch()
        reattach = {
            address: running.enter_context(_serving(Stub(schema, foretell=foretell), folder / f"{number}.sock"))
            for number, (address, schema) in enumerate(load().items())
        }
        yield {
            "TF_REATTACH_PROVIDERS": json.dumps(reattach),
            "TF_CLI_CONFIG_FILE": str(folder / "terraformrc"),
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
        }


def main(command: list[str]) -> int:
    """Run a command with the stub in its environment."""
    with provider_stub() as environment:
        return subprocess.run(command, env={**os.environ, **environment}, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
