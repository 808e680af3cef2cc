"""CloudEvents over HTTP: attributes and data, in binary and in structured mode (CloudEvents HTTP binding 1.0.2)."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from common.errors import PoisonEvent
from triggers.parsers.values import json_object

STRUCTURED = "application/cloudevents+json"


@dataclass(frozen=True, kw_only=True, slots=True)
class CloudEvent:
    """One event.

    Attributes:
        attributes: Context attributes by name (``id``, ``type``, ``source``, ``subject``, extensions).
        data: The data as bytes; empty if there is none.
        media_type: Media type of the data.
    """

    attributes: Mapping[str, str]
    data: bytes
    media_type: str


def parse_cloud_event(headers: Mapping[str, str], content: bytes) -> CloudEvent:
    """Return the event of a request.

    Raises:
        PoisonEvent: A structured event that is no JSON object or whose data cannot be decoded.
    """
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == STRUCTURED:
        return _structured(json_object(content))
    attributes = {name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")}
    return CloudEvent(attributes=attributes, data=content, media_type=media_type)


def _structured(event: Mapping[str, Any]) -> CloudEvent:
    attributes = {name: str(value) for name, value in event.items() if name not in {"data", "data_base64"}}
    media_type = attributes.get("datacontenttype", "application/json")
    if "data_base64" in event:
        try:
            data = base64.b64decode(event["data_base64"], validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise PoisonEvent("malformed_delivery", "data_base64 is not base64") from error
        return CloudEvent(attributes=attributes, data=data, media_type=media_type)
    if event.get("data") is None:
        return CloudEvent(attributes=attributes, data=b"", media_type=media_type)
    return CloudEvent(attributes=attributes, data=json.dumps(event["data"]).encode(), media_type="application/json")
