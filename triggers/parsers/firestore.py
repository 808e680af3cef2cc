"""Firestore document events of Eventarc (``google.cloud.firestore.document.v1.*``).

Shapes: https://cloud.google.com/eventarc/docs/workflows/cloudevents and the proto
``google.events.cloud.firestore.v1.DocumentEventData``. The types come from ``google-events`` (60 ms to import) and not
from the Firestore client (350 ms), which not every document function needs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from google.events.cloud.firestore_v1 import DocumentEventData
from google.protobuf.json_format import Parse, ParseError
from google.protobuf.message import DecodeError

from common.deliveries import DocumentDelivery, DocumentVersion
from common.errors import ConfigurationError, PoisonEvent
from triggers.parsers.cloudevent import parse_cloud_event
from triggers.parsers.values import moment

TYPE = "google.cloud.firestore.document.v1."
_NAME = re.compile(r"projects/(?P<project>[^/]+)/databases/(?P<database>[^/]+)/documents/(?P<path>.+)", re.DOTALL)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MESSAGE = DocumentEventData.pb()


class DocumentPattern:
    """A document path with wildcards: ``tenants/{tenant_id}/{collection}/{document_id}``, or ``{rest=**}`` at its end.

    Attributes:
        pattern: The pattern as declared.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self._regex = re.compile("/".join(_segment(part, pattern) for part in pattern.split("/")), re.DOTALL)

    def match(self, path: str) -> dict[str, str] | None:
        """Return the wildcards' values, or None for a path of another shape."""
        found = self._regex.fullmatch(path)
        return None if found is None else found.groupdict()


def _segment(part: str, pattern: str) -> str:
    if not part.startswith("{"):
        return re.escape(part)
    match = re.fullmatch(r"\{([a-zA-Z_][a-zA-Z0-9_]*)(=\*{1,2})?\}", part)
    if match is None:
        raise ConfigurationError(f"{pattern!r}: {part!r} is no wildcard")
    return f"(?P<{match[1]}>.+)" if match[2] == "=**" else f"(?P<{match[1]}>[^/]+)"


def parse_change(headers: Mapping[str, str], content: bytes, pattern: DocumentPattern) -> DocumentDelivery:
    """Return the change of a request.

    Args:
        headers: Request headers, names in lower case.
        content: The body.
        pattern: The declared path.

    Raises:
        PoisonEvent: ``malformed_delivery``; ``change_without_data`` where neither version is in it (documents too
            large for an event), since it does not say what happened; ``unexpected_document`` for a path that does not
            match.
    """
    event = parse_cloud_event(headers, content)
    data = _decoded(event.data, event.media_type)
    before = data.old_value if data.HasField("old_value") and data.old_value.name else None
    after = data.value if data.HasField("value") and data.value.name else None
    document = after if after is not None else before
    if document is None:
        raise PoisonEvent("change_without_data", f"no version of {event.attributes.get('document', 'the document')}")
    name = _NAME.fullmatch(document.name)
    if name is None:
        raise PoisonEvent("malformed_delivery", f"{document.name!r} is no document")
    parameters = pattern.match(name["path"])
    if parameters is None:
        raise PoisonEvent("unexpected_document", f"{name['path']!r} does not match {pattern.pattern!r}")
    root = document.name[: name.start("path")]
    event_id = event.attributes.get("id")
    if not event_id:
        raise PoisonEvent("malformed_delivery", "the event has no id")
    return DocumentDelivery(
        path=name["path"],
        parameters=parameters,
        before=None if before is None else _version(before, root),
        after=None if after is None else _version(after, root),
        event_id=event_id,
        time=moment(event.attributes.get("time")) or _time(document.update_time),
        database=unquote(name["database"]),
    )


def _decoded(data: bytes, media_type: str) -> Any:
    message = _MESSAGE()
    try:
        if media_type == "application/json":
            if data:
                Parse(data, message, ignore_unknown_fields=True)
        else:
            message.ParseFromString(data)
    except (DecodeError, ParseError, UnicodeDecodeError) as error:
        raise PoisonEvent("malformed_delivery", f"the body is no DocumentEventData: {error}") from error
    return message


def _version(document: Any, root: str) -> DocumentVersion:
    return DocumentVersion(
        fields={name: _value(value, root) for name, value in document.fields.items()},
        create_time=_time(document.create_time),
        update_time=_time(document.update_time),
    )


def _time(stamp: Any) -> datetime:
    """Firestore keeps microseconds."""
    return _EPOCH + timedelta(seconds=stamp.seconds, microseconds=stamp.nanos // 1000)


def _value(value: Any, root: str) -> Any:
    kind = value.WhichOneof("value_type")
    match kind:
        case "boolean_value" | "integer_value" | "double_value" | "string_value" | "bytes_value":
            return getattr(value, kind)
        case "timestamp_value":
            return _time(value.timestamp_value)
        case "map_value":
            return {name: _value(inner, root) for name, inner in value.map_value.fields.items()}
        case "array_value":
            return [_value(inner, root) for inner in value.array_value.values]
        case "reference_value":
            # Relative where it stays within the database, as all other paths are.
            return {"reference": value.reference_value.removeprefix(root)}
        case "geo_point_value":
            return {"latitude": value.geo_point_value.latitude, "longitude": value.geo_point_value.longitude}
        case _:
            return None
