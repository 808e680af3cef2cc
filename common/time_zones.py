"""Time zones by their IANA names, each place under one name.

The database of time zones keeps every name a zone ever had; ``Asia/Calcutta`` became ``Asia/Kolkata``. Links are
followed to the current name, except from names that ``zone.tab`` lists, as the place of a country: since 2022 the
database links ``Europe/Stockholm`` to ``Europe/Berlin``, and nobody in Stockholm looks for Berlin.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib import resources
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

UTC_NAME = "UTC"
"""What document 003 calls the zone that the database calls ``Etc/UTC``."""


def canonical_time_zone(name: str) -> str:
    """Return the current name of a time zone, whatever the case of the letters.

    Raises:
        ValueError: There is no such time zone.
    """
    try:
        return _names()[name.strip().casefold()]
    except KeyError:
        raise ValueError(f"there is no time zone {name[:64]!r}") from None


@functools.cache
def _names() -> Mapping[str, str]:
    """Return the current name by every name in small letters, read from the ``tzdata`` package."""
    database = resources.files("tzdata") / "zoneinfo"
    links, zones = {}, set()
    for line in (database / "tzdata.zi").read_text(encoding="utf-8").splitlines():
        match line.split():
            case ["L", target, name]:
                links[name] = target
            case ["Z", name, *_]:
                zones.add(name)
    rows = (database / "zone.tab").read_text(encoding="utf-8").splitlines()
    places = {row.split("\t")[2] for row in rows if row and not row.startswith("#")}
    names = {}
    for name in sorted(zones | links.keys()):
        current = name
        while current not in places and current in links:
            current = links[current]
        names[name.casefold()] = UTC_NAME if current == "Etc/UTC" else current
    del names["factory"]  # the zone of a computer nobody has set up
    return names


def _checked(name: str) -> str:
    try:
        return canonical_time_zone(name)
    except ValueError as error:
        raise PydanticCustomError("time_zone_unknown", "{reason}", {"reason": str(error)}) from None


TimeZone = Annotated[
    str,
    StringConstraints(min_length=1, max_length=64),
    AfterValidator(_checked),
    Field(description="IANA name of a time zone; old names become the current one.", examples=["Europe/Berlin"]),
]
"""A field that takes any name of a time zone and holds the current one."""
