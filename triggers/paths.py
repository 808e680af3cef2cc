"""The two addresses of an HTTP function: its own (``[/<name>]/<parameter values>``) and its REST route."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any

from common.errors import ConfigurationError, NotFound

PARAMETER = re.compile(r"\{([a-z][a-z0-9_]*)\}")


class PathForms:
    """Recognises both forms of one route.

    Attributes:
        route: The REST route, such as ``/v1/aso/content/{content_id}``.
        parameters: Names of the parameters in the route's order.

    Args:
        route: The REST route.
        types: Parameter to type; text where it is missing.
        function: Name of the function, which its own address may begin with.
    """

    def __init__(self, route: str, types: Mapping[str, type], function: str = "") -> None:
        if not route.startswith("/") or (route.endswith("/") and route != "/"):
            raise ConfigurationError(f"{route!r}: a route begins with a slash and does not end with one")
        self.route = route
        self._function = function
        self._segments = route.strip("/").split("/")
        self._places = [
            (at, match[1]) for at, part in enumerate(self._segments) if (match := PARAMETER.fullmatch(part))
        ]
        self.parameters = tuple(name for _, name in self._places)
        self._types = [types.get(name, str) for name in self.parameters]

    def match(self, path: str) -> dict[str, Any]:
        """Return the parameters' values, typed.

        Raises:
            NotFound: Code ``route_not_found``: the path is neither form. Code ``not_found``: it is, with an id that
                is no UUID, so nothing can have it.
        """
        if not self.parameters and path in {"", "/", self.route, f"/{self._function}"}:
            return {}
        values = self._values(path)
        if values is None or not all(values):
            raise NotFound("route_not_found", "nothing answers at this path")
        typed: dict[str, Any] = {}
        for name, kind, value in zip(self.parameters, self._types, values, strict=True):
            typed[name] = _uuid(value) if kind is uuid.UUID else value
        return typed

    def _values(self, path: str) -> list[str] | None:
        if not path.startswith("/"):
            return None
        parts = path[1:].split("/")
        if len(parts) == len(self._segments) and all(
            expected == part or expected[0] == "{" for expected, part in zip(self._segments, parts, strict=True)
        ):
            return [parts[at] for at, _ in self._places]
        if self.parameters and self._function and parts[0] == self._function and len(parts) == len(self.parameters) + 1:
            return parts[1:]  # a load balancer finds the function by its name and leaves it in the path
        return parts if self.parameters and len(parts) == len(self.parameters) else None


def _uuid(value: str) -> uuid.UUID:
    """Parse a UUID in its usual spelling only: an id has one address."""
    try:
        parsed = uuid.UUID(value)
    except ValueError:
        parsed = None
    if parsed is None or str(parsed) != value.lower():
        raise NotFound("not_found", "no such thing: the id in the path is no UUID")
    return parsed
