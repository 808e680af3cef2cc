"""The monthly bill: what is used at the prices of the sheet, what of it is fixed, what dominates and what halves it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from triggers.deploy.cost.load import DEMAND, Load, idle, option
from triggers.deploy.cost.platform import Platform
from triggers.deploy.cost.sheet import Price, Sheet
from triggers.deploy.cost.usage import Usage, usage_of

CENT = 0.005
LONGER = 4.0
"""Times to live and distances between runs are made so many times longer to see what they cost."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One line of a bill.

    Attributes:
        price: What is billed.
        quantity: Units used in a month.
    """

    price: Price
    quantity: float

    @property
    def amount(self) -> float:
        """What the line costs."""
        return self.price.amount(self.quantity)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bill:
    """A month's bill.

    Attributes:
        lines: One for each item that is used.
        usage: What it was made from.
    """

    lines: tuple[Line, ...]
    usage: Usage

    @property
    def total(self) -> float:
        """Sum of all lines."""
        return sum(line.amount for line in self.lines)

    def by_service(self) -> dict[str, float]:
        """Return what each service costs, the dearest first."""
        found: dict[str, float] = defaultdict(float)
        for line in self.lines:
            found[line.price.service] += line.amount
        return dict(sorted(found.items(), key=lambda each: (-each[1], each[0])))


def bill_for(items: Mapping[str, float], sheet: Sheet, usage: Usage | None = None) -> Bill:
    """Return the bill for quantities by item."""
    lines = tuple(Line(price=sheet.prices[item], quantity=items[item]) for item in sorted(items) if items[item] > 0)
    return Bill(lines=lines, usage=usage or Usage())


def bill_of(load: Load, sheet: Sheet, platform: Platform) -> Bill:
    """Return the bill of a load."""
    usage = usage_of(load, sheet, platform)
    return bill_for(usage.items, sheet, usage)


def fixed_part(load: Load, sheet: Sheet, platform: Platform) -> float:
    """Return what the same deployment costs without any load."""
    return bill_of(idle(load), sheet, platform).total


@dataclass(frozen=True, kw_only=True, slots=True)
class Lever:
    """Something that changes the bill.

    Attributes:
        what: The change.
        total: The bill then.
    """

    what: str
    total: float


def levers(load: Load, sheet: Sheet, platform: Platform) -> list[Lever]:
    """Return what each change alone would make of the bill, the greatest saving first."""

    def total(load: Load = load, sheet: Sheet = sheet, platform: Platform = platform) -> float:
        return bill_of(load, sheet, platform).total

    found = [
        Lever(what=f"half of {option(name)}", total=total(load=load.but(name, getattr(load, name) / 2)))
        for name in DEMAND
        if getattr(load, name) > 0
    ]
    found += _switches(load, total)
    for name, what in (
        ("seconds_consumer", "consumers that wait half as long for their group"),
        ("seconds_task", "tasks that take half as long"),
        ("answer_bytes", "answers of half the size"),
        ("document_bytes", "documents of half the size"),
        ("log_bytes", "half as much logged"),
    ):
        halved = replace(sheet, assumptions={**sheet.assumptions, name: sheet[name] / 2})
        found.append(Lever(what=what, total=total(sheet=halved)))
    longer = tuple(replace(each, ttl=each.ttl * LONGER) for each in platform.namespaces)
    found.append(
        Lever(
            what=f"times to live {LONGER:g} times as long", total=total(platform=replace(platform, namespaces=longer))
        )
    )
    return sorted(found, key=lambda lever: lever.total)


def _switches(load: Load, total: Callable[..., float]) -> list[Lever]:
    found = []
    if load.redis_gb:
        found.append(Lever(what="no Redis", total=total(load=replace(load, redis_gb=0))))
    else:
        found.append(Lever(what="Redis of 1 GB", total=total(load=replace(load, redis_gb=1))))
    if load.keep_warm:
        found.append(Lever(what="no instance kept warm", total=total(load=replace(load, keep_warm=False))))
    if load.front_door == "gateway":
        other = replace(load, front_door="load_balancer")
        found.append(Lever(what="a load balancer in front", total=total(load=other)))
    else:
        found.append(Lever(what="API Gateway in front", total=total(load=replace(load, front_door="gateway"))))
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Halving:
    """How far one parameter has to fall until the bill is half.

    Attributes:
        name: The parameter.
        value: Its value then; None where no value is low enough.
        least: The bill with the parameter at its least.
    """

    name: str
    value: float | None
    least: float


def halvings(load: Load, sheet: Sheet, platform: Platform) -> Sequence[Halving]:
    """Return, for every parameter of the load, the greatest value at which the bill is half of today's."""
    goal = bill_of(load, sheet, platform).total / 2
    return [_halving(name, load, sheet, platform, goal) for name in DEMAND if getattr(load, name) > 0]


def _halving(name: str, load: Load, sheet: Sheet, platform: Platform, goal: float) -> Halving:
    def total(value: float) -> float:
        return bill_of(load.but(name, value), sheet, platform).total

    now: float = getattr(load, name)
    low, high = (min(1.0, now) if name == "tenants" else 0.0), now
    least = total(low)
    if least > goal + CENT:
        return Halving(name=name, value=None, least=least)
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if total(middle) <= goal else (low, middle)
    return Halving(name=name, value=low, least=least)
