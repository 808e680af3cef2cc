"""The bill as a table for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from triggers.deploy.cost.always_on import Comparison
from triggers.deploy.cost.bill import Bill, Halving, Lever
from triggers.deploy.cost.load import Load, option
from triggers.deploy.cost.sheet import Services, Sheet

SHOWN = 6
"""Levers that the table shows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """Everything that is told of a load.

    Attributes:
        load: The load.
        sheet: Prices and assumptions.
        bill: Its bill.
        fixed: What the deployment costs without load.
        levers: What changes would make of the bill.
        halvings: How far each parameter would have to fall.
        comparisons: Bills of document 004's services.
        services: Those services.
    """

    load: Load
    sheet: Sheet
    bill: Bill
    fixed: float
    levers: Sequence[Lever]
    halvings: Sequence[Halving]
    comparisons: Sequence[Comparison]
    services: Services

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON values; amounts in the sheet's currency, not rounded."""
        return {
            "currency": self.sheet.currency,
            "load": self.load.asdict(),
            "total": self.bill.total,
            "fixed": self.fixed,
            "by_service": self.bill.by_service(),
            "lines": [
                {
                    "item": line.price.item,
                    "service": line.price.service,
                    "unit": line.price.unit,
                    "quantity": line.quantity,
                    "free": line.price.free_per_month,
                    "price": line.price.price,
                    "amount": line.amount,
                    "kind": line.price.kind,
                    "as_of": line.price.as_of.isoformat(),
                    "source": line.price.source,
                }
                for line in self.bill.lines
            ],
            "causes": {item: dict(found) for item, found in self.bill.usage.causes.items()},
            "cache_hit_rates": self.bill.usage.hit_rates,
            "warnings": self.bill.usage.warnings,
            "levers": [{"what": lever.what, "total": lever.total} for lever in self.levers],
            "halves_at": {each.name: each.value for each in self.halvings},
            "compared_with": [
                {"name": each.name, "services": each.services, "total": each.bill.total, "source": self.services.source}
                for each in self.comparisons
            ],
            "assumptions": dict(self.sheet.assumptions),
        }

    def as_text(self) -> str:
        """Return the report for people."""
        parts = (self._head(), self._services(), self._lines(), self._caches(), self._sensitivity(), self._compared())
        return "\n".join("\n".join(part) for part in parts if part) + "\n"

    def _head(self) -> list[str]:
        load = self.load
        redis = f"Redis {load.redis_gb:g} GB" if load.redis_gb else "no Redis"
        asked = f"{load.writes_per_day:,.0f} writes and {load.reads_per_day:,.0f} reads a day"
        return [
            f"{load.tenants:,.0f} tenants, {asked}, {load.documents_per_tenant:,.0f} documents a tenant",
            f"{redis}, {load.front_door.replace('_', ' ')}",
            f"{self.sheet.currency} a month: {self.bill.total:,.2f}, of which {self.fixed:,.2f} without any load",
            *(f"warning: {warning}" for warning in self.bill.usage.warnings),
            "",
        ]

    def _services(self) -> list[str]:
        total = self.bill.total or 1.0
        found = [(name, amount) for name, amount in self.bill.by_service().items()]
        rows = [f"  {name:<22}{amount:>12,.2f}{amount / total:>8.1%}" for name, amount in found]
        dearest = max(self.bill.lines, key=lambda line: line.amount)
        what = f"{dearest.price.service}: {dearest.price.unit}"
        causes = self.bill.usage.causes.get(dearest.price.item, {})
        most = sorted(causes, key=lambda name: (-causes[name], name))[:SHOWN]
        by = ", ".join(f"{name} {causes[name] / sum(causes.values()):.0%}" for name in most)
        told = [f"What dominates: {what} ({dearest.price.item}), {dearest.amount / total:.0%}"]
        return [*rows, *told, *([f"  by function: {by}"] if by else []), ""]

    def _lines(self) -> list[str]:
        head = f"  {'item':<22}{'quantity':>16} {'unit':<22}{'free':>12}{'price':>12}{'amount':>12}  price from"
        rows = [
            f"  {line.price.item:<22}{line.quantity:>16,.3f} {line.price.unit:<22}{line.price.free_per_month:>12,.3f}"
            f"{line.price.price:>12.7g}{line.amount:>12,.2f}  {line.price.kind}, {line.price.as_of}"
            for line in sorted(self.bill.lines, key=lambda line: -line.amount)
        ]
        return [head, *rows, ""]

    def _caches(self) -> list[str]:
        found = [f"{name} {rate:.0%}" for name, rate in sorted(self.bill.usage.hit_rates.items())]
        return [f"Cached answers served from Redis: {', '.join(found)}", ""] if found else []

    def _sensitivity(self) -> list[str]:
        total = self.bill.total or 1.0
        rows = [
            f"  {lever.what:<50}{lever.total:>12,.2f}{lever.total / total - 1:>+8.1%}" for lever in self.levers[:SHOWN]
        ]
        halving = [f"{option(each.name)} {each.value:,.0f}" for each in self.halvings if each.value is not None] or [
            "no parameter of the load alone"
        ]
        return ["What would change it most:", *rows, f"Halves the bill: {', or '.join(halving)}", ""]

    def _compared(self) -> list[str]:
        total = self.bill.total or 1.0
        rows = [
            f"  {each.name:<62}{each.bill.total:>12,.2f}{each.bill.total / total:>8.2f} times ours"
            for each in self.comparisons
        ]
        return [f"The same load on {self.services.source}:", *rows, f"  {self.services.note}"]
