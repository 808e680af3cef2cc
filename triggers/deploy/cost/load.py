"""What a deployment has to carry, and what was switched on to carry it: the parameters of the cost model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from common.errors import ConfigurationError

BIGGEST = 1e12
"""No load is larger; beyond it floating-point sums lose cents."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """The load of a month, and the switches.

    Attributes:
        tenants: Tenants that work.
        writes_per_day: Writing requests of all tenants together.
        reads_per_day: Reading requests of all tenants together.
        documents_per_tenant: Documents that a tenant keeps.
        distinct_reads: Different lists and statistics that the people of a tenant look at.
        deployments: Deployments a month.
        redis_gb: Memory of Redis; 0 goes without.
        front_door: ``gateway`` or ``load_balancer``.
        keep_warm: Whether declared idle instances are kept.
        shares: Weight of functions among those of their kind; 1 unless given.
    """

    tenants: float = 100
    writes_per_day: float = 50_000
    reads_per_day: float = 500_000
    documents_per_tenant: float = 10_000
    distinct_reads: float = 10
    deployments: float = 8
    redis_gb: float = 1
    front_door: Literal["gateway", "load_balancer"] = "gateway"
    keep_warm: bool = True
    shares: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what is no load.

        Raises:
            ConfigurationError: A parameter is negative, no number, or too large; or there is work and nobody does it.
        """
        for name in NUMBERS:
            value = getattr(self, name)
            if not math.isfinite(value) or not 0 <= value <= BIGGEST:
                raise ConfigurationError(f"{option(name)} is {value:g}: a number from 0 to {BIGGEST:g} is expected")
        if self.tenants == 0 and (self.writes_per_day or self.reads_per_day):
            raise ConfigurationError("--tenants is 0, and nobody else reads or writes: give --tenants, or no load")
        if self.front_door not in {"gateway", "load_balancer"}:
            raise ConfigurationError(f"--front-door is {self.front_door!r}: gateway or load_balancer is expected")
        for name, weight in self.shares.items():
            if not math.isfinite(weight) or weight < 0:
                raise ConfigurationError(f"--share {name}={weight:g}: a weight of 0 or more is expected")

    def but(self, name: str, value: float) -> Load:
        """Return the same load with another value of one amount."""
        changed: dict[str, Any] = {name: value}
        return replace(self, **changed)

    def asdict(self) -> dict[str, object]:
        """Return the parameters as JSON values."""
        return asdict(self)


NUMBERS = tuple(each.name for each in fields(Load) if each.name not in {"front_door", "keep_warm", "shares"})
"""Parameters that are amounts."""
DEMAND = ("tenants", "writes_per_day", "reads_per_day", "documents_per_tenant", "distinct_reads", "deployments")
"""Parameters that are load and no choice of ours."""


def option(name: str) -> str:
    """Return a parameter as it is written on the command line."""
    return "--" + name.replace("_", "-")


def idle(load: Load) -> Load:
    """Return the same deployment without any load."""
    nothing: dict[str, Any] = dict.fromkeys(DEMAND, 0.0)
    return replace(load, **nothing)
