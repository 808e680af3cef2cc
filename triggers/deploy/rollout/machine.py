"""The rollout: new revisions get traffic in steps, and on any failure all of it goes back to where it was.

Cloud Run itself is the journal. A rollout marks every service it touches with two tags in one write: ``previous`` on
the revision that serves, ``candidate`` on the new one, at 0 %. Whoever comes later, after a crash too, reads from the
tags what was going on, and goes on or goes back. The steps:

1. Terraform makes the new revisions; 2. every one is marked, at 0 %; 3. every one is tried; 4. in waves, consumers
before those whose events they get: 50 %, a look at the failures, 100 %; 5. the marks are taken off.

What fails in 1 to 4 sends every service of the rollout back to its old revision. From 5 on all have passed, and nothing
goes back any more. Schedules call once at a time, so half of their traffic means nothing: they go from 0 to 100.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from triggers.deploy.rollout.ports import (
    CANDIDATE,
    PREVIOUS,
    Infrastructure,
    OutsideError,
    Report,
    Service,
    Smoke,
    SmokeFailed,
    Target,
    Traffic,
    Watch,
)

WAVES = ("task", "message", "document", "schedule", "http")
"""Kinds in the order in which they are shifted: whoever receives comes before whoever sends."""
HALF = 50
WHOLE = 100
ATTEMPTS = 3
"""Tries to send a service back; its new revision may be failing callers meanwhile."""

Entry = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """One function under way.

    Attributes:
        entry: Its entry of the manifest.
        old: The revision to go back to; empty for a function that is new.
        new: The revision to go to.
    """

    entry: Entry
    old: str
    new: str

    @property
    def name(self) -> str:
        """Name of the function."""
        return str(self.entry["name"])

    @property
    def steps(self) -> tuple[int, ...]:
        """Percentages that the new revision goes through."""
        return (WHOLE,) if self.entry["kind"] == "schedule" or not self.old else (HALF, WHOLE)

    def at(self, percent: int, *, done: bool = False) -> tuple[Target, ...]:
        """Return the traffic with so much of it at the new revision."""
        new = Target(revision=self.new, percent=percent if self.old else WHOLE, tag="" if done else CANDIDATE)
        if not self.old:
            return (new,)
        return (Target(revision=self.old, percent=WHOLE - percent, tag=PREVIOUS), new)

    def back(self) -> tuple[Target, ...]:
        """Return the traffic as it was."""
        return (Target(revision=self.old, percent=WHOLE, tag=PREVIOUS),)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How a rollout ended.

    Attributes:
        state: ``done``; ``nothing`` (there was nothing to do); ``rolled_back`` (all traffic is where it was);
            ``stuck`` (some traffic could not be sent back: run it again, or with ``--roll-back``).
        functions: Functions of the rollout, in order.
        reason: Why it did not get through.
        left: Functions whose traffic could not be sent back.
        without_way_back: New functions that failed and have no older revision.
    """

    state: Literal["done", "nothing", "rolled_back", "stuck"]
    functions: tuple[str, ...] = ()
    reason: str = ""
    left: tuple[str, ...] = ()
    without_way_back: tuple[str, ...] = ()


@dataclass
class Rollout:
    """One rollout.

    Attributes:
        entries: Functions of the manifest by name.
        infrastructure: Terraform; None where nothing is to be applied.
        traffic: The services.
        smoke: The smoke test.
        watch: The look at failures.
        report: Told every step.
    """

    entries: Mapping[str, Entry]
    infrastructure: Infrastructure | None
    traffic: Traffic
    smoke: Smoke
    watch: Watch
    report: Report
    units: list[Unit] = field(default_factory=list)

    def run(self, changed: Iterable[str]) -> Outcome:
        """Deploy what changed, and finish what an earlier rollout left.

        Args:
            changed: Functions that Terraform will make a new revision of.
        """
        finishing = True  # until it is known what is going on, nothing is to be sent back
        try:
            before = self._settled(self._services())
            finishing = False
            self._expect(before, set(changed))
            if self.infrastructure is not None:
                self.report("terraform apply")
                self.infrastructure.apply()
            self._find_units(before)
            if not self.units:
                return Outcome(state="nothing")
            self._mark()
            self._try()
            for wave in self._waves():
                self._shift(wave)
            finishing = True
            self._finish()
        except (OutsideError, SmokeFailed, KeyboardInterrupt) as error:
            reason = str(error) or type(error).__name__
            self.report(f"failed: {reason}")
            if finishing:  # or, at the end: every revision has passed and has all traffic, only marks are left
                return Outcome(state="stuck", functions=self._names(), reason=reason)
            return self.go_back(reason)
        return Outcome(state="done", functions=self._names())

    def go_back(self, reason: str) -> Outcome:
        """Send every service of the rollout back to its old revision."""
        left = [unit.name for unit in reversed(self.units) if unit.old and not self._back(unit)]
        lonely = tuple(unit.name for unit in self.units if not unit.old)
        state: Literal["stuck", "rolled_back"] = "stuck" if left else "rolled_back"
        return Outcome(state=state, functions=self._names(), reason=reason, left=tuple(left), without_way_back=lonely)

    def roll_back(self) -> Outcome:
        """Send every service that is marked, or that has a previous revision, back to that one."""
        for name, service in sorted(self._services().items()):
            previous = service.tagged(PREVIOUS)
            if previous is not None and service.shares != {previous.revision: WHOLE}:
                self.units.append(Unit(entry=self.entries[name], old=previous.revision, new=service.latest))
        return self.go_back("asked to") if self.units else Outcome(state="nothing")

    def _names(self) -> tuple[str, ...]:
        return tuple(unit.name for unit in self.units)

    def _services(self) -> dict[str, Service]:
        return {name: found for name, found in self.traffic.services().items() if name in self.entries}

    def _expect(self, before: Mapping[str, Service], changed: set[str]) -> None:
        """Note where to go back to if something fails while new revisions are made, or an earlier rollout did."""
        for name, service in sorted(before.items()):
            old = _serving(service)
            if old and (name in changed or service.tagged(CANDIDATE) or len(service.shares) > 1):
                self.units.append(Unit(entry=self.entries[name], old=old, new=service.latest))

    def _settled(self, services: dict[str, Service]) -> dict[str, Service]:
        """Take off the marks of an earlier rollout that got all traffic to its revisions and was cut off then."""
        marked = {name: found for name, found in services.items() if found.tagged(CANDIDATE)}
        ways_back = [found for found in marked.values() if found.tagged(PREVIOUS)]
        if not ways_back or not all(_passed(found) for found in ways_back):
            return services
        for name, service in marked.items():
            targets = tuple(
                Target(revision=each.revision, percent=each.percent, tag="" if each.tag == CANDIDATE else each.tag)
                for each in service.traffic
            )
            self.traffic.assign(service, targets)
            self.report(f"{name}: done by an earlier rollout")
        return self._services()

    def _find_units(self, before: Mapping[str, Service]) -> None:
        """Find every service whose newest revision has not all traffic, or is still marked."""
        found = []
        for name, service in self._services().items():
            old = _serving(before[name]) if name in before else ""
            marked = service.tagged(CANDIDATE)
            if service.shares == {service.latest: WHOLE} and marked is None and old in {service.latest, ""}:
                if name not in before:
                    found.append(Unit(entry=self.entries[name], old="", new=service.latest))
                continue
            found.append(Unit(entry=self.entries[name], old="" if old == service.latest else old, new=service.latest))
        self.units = sorted(found, key=lambda unit: (WAVES.index(unit.entry["kind"]), unit.name))

    def _waves(self) -> list[list[Unit]]:
        waves = ([unit for unit in self.units if unit.entry["kind"] == kind] for kind in WAVES)
        return [wave for wave in waves if wave]

    def _assign(self, unit: Unit, targets: tuple[Target, ...], told: str) -> None:
        service = self._require(unit)
        if service.latest != unit.new:
            raise OutsideError(f"{unit.name}: {service.latest} was deployed meanwhile by somebody else")
        if _alike(service.traffic, targets):
            return
        self.traffic.assign(service, targets)
        self.report(f"{unit.name}: {told}")

    def _forward(self, unit: Unit, percent: int, told: str) -> None:
        """Give the new revision so much traffic, unless an earlier rollout gave it as much."""
        marked = self._require(unit).tagged(CANDIDATE)
        if marked is None or marked.revision != unit.new or marked.percent < percent:
            self._assign(unit, unit.at(percent), told)

    def _require(self, unit: Unit) -> Service:
        service = self.traffic.service(unit.name)
        if service is None:
            raise OutsideError(f"{unit.name}: the service is gone")
        return service

    def _mark(self) -> None:
        for unit in self.units:
            self._forward(unit, 0, f"{unit.new} at 0 %" if unit.old else f"{unit.new} is the first revision")

    def _try(self) -> None:
        for unit in self.units:
            self.smoke.check(unit.entry, self._require(unit), unit.new)
            self.report(f"{unit.name}: {unit.new} passed its smoke test")

    def _shift(self, wave: Sequence[Unit]) -> None:
        self.watch.begin()
        half = [unit for unit in wave if HALF in unit.steps]
        for unit in half:
            self._forward(unit, HALF, f"{unit.new} at {HALF} %")
        for unit in half:
            why = self.watch.failing(unit.name, unit.new, unit.old)
            if why:
                raise SmokeFailed(f"{unit.name}: {unit.new} fails under traffic: {why}")
        for unit in wave:
            self._forward(unit, WHOLE, f"{unit.new} at {WHOLE} %")

    def _finish(self) -> None:
        for unit in self.units:
            self._assign(unit, unit.at(WHOLE, done=True), "done")

    def _back(self, unit: Unit) -> bool:
        """Send one service back; True where it is there."""
        for _ in range(ATTEMPTS):
            try:
                service = self.traffic.service(unit.name)
                if service is None or (service.shares == {unit.old: WHOLE} and not service.tagged(CANDIDATE)):
                    return True
                self.traffic.assign(service, unit.back())
            except (OutsideError, KeyboardInterrupt) as error:
                self.report(f"{unit.name}: not sent back yet: {error}")
            else:
                self.report(f"{unit.name}: back at {unit.old}")
                return True
        return False


def _alike(one: Sequence[Target], other: Sequence[Target]) -> bool:
    def key(target: Target) -> tuple[str, int, str]:
        return target.revision, target.percent, target.tag

    return sorted(map(key, one)) == sorted(map(key, other))


def _passed(service: Service) -> bool:
    """Tell whether the marked revision has all traffic, which it gets only once it has passed everything."""
    candidate = service.tagged(CANDIDATE)
    return candidate is not None and service.shares == {candidate.revision: WHOLE}


def _serving(service: Service) -> str:
    """Return the revision to go back to: the marked one, else the one with most traffic; empty where there is none."""
    previous = service.tagged(PREVIOUS)
    if previous is not None and service.tagged(CANDIDATE) is not None:
        return previous.revision
    shares = service.shares
    others = {revision: percent for revision, percent in shares.items() if revision != service.latest}
    return max(others or shares, key=lambda revision: (others or shares)[revision], default="")
