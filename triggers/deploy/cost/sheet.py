"""The dated price sheet, the stated assumptions and the services of document 004, read from the data files beside it.

Figures are data: a price has its source and date, and says whether it was published or only remembered.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

from common.errors import ConfigurationError, DeclarationError

PRICES_FILE = Path(__file__).with_name("prices.json")
ASSUMPTIONS_FILE = Path(__file__).with_name("assumptions.json")
SERVICES_FILE = Path(__file__).with_name("services_004.json")

KINDS = ("published", "memory")


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """One line of the price sheet.

    Attributes:
        item: What is billed, by our name.
        service: The service that bills it.
        unit: What one unit is, such as ``million invocations``.
        price: For one unit.
        currency: ISO 4217 code.
        region: Where the price holds.
        free_per_month: Units that cost nothing.
        kind: ``published`` (read from a price list or a copy of one) or ``memory``.
        source: Where the figure comes from.
        as_of: The day the figure was true, as far as it is known.
        note: What else decides the amount.
    """

    item: str
    service: str
    unit: str
    price: float
    currency: str
    region: str
    free_per_month: float
    kind: str
    source: str
    as_of: date
    note: str

    def amount(self, quantity: float) -> float:
        """Return what a month's quantity costs, the free units left out."""
        return max(0.0, quantity - self.free_per_month) * self.price


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """Prices and assumptions.

    Attributes:
        prices: Price by item.
        assumptions: Value by name.
        currency: The one currency of all prices.
    """

    prices: Mapping[str, Price]
    assumptions: Mapping[str, float]
    currency: str

    def __getitem__(self, name: str) -> float:
        """Return an assumption."""
        return self.assumptions[name]


def load_sheet(
    prices: Path = PRICES_FILE, assumptions: Path = ASSUMPTIONS_FILE, given: Mapping[str, float] | None = None
) -> Sheet:
    """Read the price sheet and the assumptions.

    Args:
        prices: File of the prices.
        assumptions: File of the assumptions.
        given: Assumptions that the caller makes instead.

    Raises:
        DeclarationError: A line of a file is wrong; names file and line.
        ConfigurationError: The caller assumes what the model does not know, or a negative value.
    """
    found = {price.item: price for price in (_price(prices, record) for record in _records(prices, "prices"))}
    known = {record["name"]: _number(assumptions, record, "name", "value") for record in _records_of(assumptions)}
    currencies = {price.currency for price in found.values()}
    if len(currencies) != 1:
        raise DeclarationError(
            prices.name, 1, f"prices in {', '.join(sorted(currencies)) or 'no currency'}: one is due"
        )
    for name, value in (given or {}).items():
        if name not in known:
            raise ConfigurationError(f"there is no assumption {name!r}; known are {', '.join(sorted(known))}")
        if not 0 <= value < float("inf"):
            raise ConfigurationError(f"the assumption {name} is {value:g}: it must be 0 or more")
    return Sheet(prices=found, assumptions={**known, **(given or {})}, currency=currencies.pop())


def _records_of(file: Path) -> list[dict[str, Any]]:
    return _records(file, "assumptions")


def _records(file: Path, name: str) -> list[dict[str, Any]]:
    try:
        records: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))[name]
    except json.JSONDecodeError as error:
        raise DeclarationError(file.name, error.lineno, f"this is no JSON: {error.msg}") from error
    except (KeyError, TypeError) as error:
        raise DeclarationError(file.name, 1, f"an object with {name!r} is expected") from error
    key = "item" if name == "prices" else "name"
    seen: set[str] = set()
    for record in records:
        if not isinstance(record.get(key), str) or record[key] in seen:
            raise DeclarationError(
                file.name, _line(file, record.get(key)), f"{key} {record.get(key)!r}: missing or twice"
            )
        seen.add(record[key])
    return records


def _price(file: Path, record: Mapping[str, Any]) -> Price:
    where = _line(file, record["item"])
    names = {field.name for field in fields(Price)}
    if set(record) != names:
        wrong = ", ".join(sorted(set(record) ^ names))
        raise DeclarationError(file.name, where, f"{record['item']}: missing or unknown: {wrong}")
    if record["kind"] not in KINDS:
        raise DeclarationError(file.name, where, f"{record['item']}: kind is one of {', '.join(KINDS)}")
    try:
        as_of = date.fromisoformat(record["as_of"])
    except ValueError as error:
        raise DeclarationError(file.name, where, f"{record['item']}: as_of is no day: {record['as_of']!r}") from error
    numbers = {name: _number(file, record, "item", name) for name in ("price", "free_per_month")}
    return Price(**{**record, **numbers, "as_of": as_of})


def _number(file: Path, record: Mapping[str, Any], key: str, name: str) -> float:
    value = record.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        where = _line(file, record[key])
        raise DeclarationError(
            file.name, where, f"{record[key]}: {name} is {value!r}; a number of 0 or more is expected"
        )
    return float(value)


def _line(file: Path, name: object) -> int:
    """Return the line on which a record names itself."""
    pattern = re.compile(rf'"(?:item|name)":\s*{re.escape(json.dumps(name))}')
    lines = file.read_text(encoding="utf-8").splitlines()
    return next((number for number, line in enumerate(lines, 1) if pattern.search(line)), 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """A service of document 004.

    Attributes:
        name: Its name there; empty for those that are counted and not named.
        domain: The domain of ours that does its work; empty where none does yet.
        cpu: Processors of an instance.
        memory_mib: Memory of an instance.
    """

    name: str
    domain: str
    cpu: float
    memory_mib: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Services:
    """Document 004's deployment.

    Attributes:
        services: Every service, the unnamed ones too.
        concurrency: Requests an instance serves at once.
        source: The document.
        note: What it says and how it was read.
    """

    services: tuple[Service, ...]
    concurrency: int
    source: str
    note: str


def load_services(file: Path = SERVICES_FILE) -> Services:
    """Read the services of document 004; unnamed ones are of the smallest tier."""
    record = json.loads(file.read_text(encoding="utf-8"))
    tiers = record["tiers"]
    named = [Service(name=each["name"], domain=each["domain"], **tiers[each["tier"]]) for each in record["services"]]
    unnamed = [Service(name="", domain="", **tiers["dashboard"])] * (record["total"] - len(named))
    return Services(
        services=(*named, *unnamed),
        concurrency=record["concurrency"],
        source=record["source"],
        note=record["note"],
    )
