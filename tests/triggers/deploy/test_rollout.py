"""The rollout's state machine against a cloud in memory that fails, at every point and in every way."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triggers.deploy.rollout.machine import HALF, WAVES, WHOLE, Outcome, Rollout
from triggers.deploy.rollout.ports import CANDIDATE, PREVIOUS, OutsideError, Service, SmokeFailed, Target

ENTRIES = {name: {"name": name, "kind": kind} for name, kind in zip("tmdsh", WAVES, strict=True)} | {
    "h2": {"name": "h2", "kind": "http"}
}


class Crash(BaseException):
    """The machine that deploys is gone: nothing can be done any more."""


@dataclass
class Cloud:
    """Every port of a rollout at once.

    Attributes:
        at_once: Whether a new revision takes all traffic as soon as it is made.
        services: The services.
        changed: What the next apply makes new revisions of.
        fail_at: Number of the call that fails; None for none.
        late: Whether it fails after it took effect.
        crash: Whether it ends everything.
        bad: Functions whose new revision fails its smoke test; ``failing``: that fail under traffic.
    """

    at_once: bool = False
    services_: dict[str, Service] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    fail_at: int | None = None
    late: bool = False
    crash: bool = False
    bad: set[str] = field(default_factory=set)
    flaky: set[str] = field(default_factory=set)
    calls: int = 0
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    seen: list[tuple[str, dict[str, int]]] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)

    def _call(self, *, late: bool) -> None:
        if late is not self.late:
            return
        self.calls += 1
        if self.calls - 1 == self.fail_at:
            raise Crash if self.crash else OutsideError("the line is dead")

    def services(self) -> dict[str, Service]:
        self._call(late=False)
        found = dict(self.services_)
        self._call(late=True)
        return found

    def service(self, name: str) -> Service | None:
        self._call(late=False)
        found = self.services_.get(name)
        self._call(late=True)
        return found

    def assign(self, service: Service, targets: tuple[Target, ...]) -> None:
        self._call(late=False)
        now = self.services_[service.name]
        if now.etag != service.etag:
            raise OutsideError("somebody else changed it")
        assert sum(target.percent for target in targets) == WHOLE, "Cloud Run refuses anything else"
        self._set(service.name, dataclasses.replace(now, traffic=targets))
        self._call(late=True)

    def _set(self, name: str, service: Service) -> None:
        self.services_[name] = dataclasses.replace(service, etag=f"e{next(self.numbers)}")
        self.seen.append((name, service.shares))

    def apply(self) -> None:
        self._call(late=False)
        for name in sorted(self.changed):
            self._call(late=False)
            self._deploy(name)
            self._call(late=True)
        self.changed = set()

    def _deploy(self, name: str) -> None:
        revision, old = f"{name}-r{next(self.numbers)}", self.services_.get(name)
        if old is None:
            made = Service(
                name=name, latest=revision, traffic=(Target(revision=revision, percent=WHOLE),), etag="", addresses={}
            )
        elif self.at_once:
            made = dataclasses.replace(old, latest=revision, traffic=(Target(revision=revision, percent=WHOLE),))
        else:
            made = dataclasses.replace(old, latest=revision)
        self._set(name, made)

    def check(self, entry: Mapping[str, Any], service: Service, revision: str) -> None:
        self._call(late=False)
        self.tried.append(revision)
        if entry["name"] in self.bad:
            raise SmokeFailed(f"{entry['name']} is ill")
        self._call(late=True)

    def begin(self) -> None:
        """Begin a time of watching."""

    def failing(self, service: str, revision: str, old: str) -> str:
        self._call(late=False)
        return "5 of 9 requests" if service in self.flaky else ""

    def roll(self) -> Outcome:
        """Deploy what changed."""
        return Rollout(
            entries=ENTRIES, infrastructure=self, traffic=self, smoke=self, watch=self, report=lambda line: None
        ).run(set(self.changed))

    @property
    def shares(self) -> dict[str, dict[str, int]]:
        return {name: service.shares for name, service in self.services_.items()}

    @property
    def marked(self) -> list[str]:
        return [name for name, service in self.services_.items() if service.tagged(CANDIDATE)]

    @property
    def latest(self) -> dict[str, dict[str, int]]:
        return {name: {service.latest: WHOLE} for name, service in self.services_.items()}


def running(*, at_once: bool = False, without: str = "") -> Cloud:
    """Return a cloud in which everything was deployed once."""
    cloud = Cloud(at_once=at_once, changed=set(ENTRIES) - set(without.split()))
    assert cloud.roll().state == "done"
    cloud.seen.clear()
    cloud.tried.clear()
    cloud.calls = 0
    return cloud


@pytest.mark.parametrize("at_once", [False, True])
def test_traffic_goes_up_in_steps_and_marks_go(at_once: bool) -> None:
    cloud = running(at_once=at_once)
    old = cloud.shares
    cloud.changed = {"t", "h", "s"}
    outcome = cloud.roll()
    assert outcome == Outcome(state="done", functions=("t", "s", "h"))
    assert cloud.shares == cloud.latest
    assert cloud.marked == []
    for name in ("t", "s", "h"):
        [before] = old[name]
        after = cloud.services_[name].latest
        steps = [shares.get(after, 0) for which, shares in cloud.seen if which == name]
        passed = [WHOLE] if at_once else []
        assert list(dict.fromkeys(steps)) == list(dict.fromkeys([*passed, 0, *([] if name == "s" else [HALF]), WHOLE]))
        assert cloud.services_[name].tagged(PREVIOUS) == Target(revision=before, percent=0, tag=PREVIOUS)
    assert cloud.tried == [cloud.services_[name].latest for name in ("t", "s", "h")]
    assert {name: cloud.shares[name] for name in "md"} == {name: old[name] for name in "md"}


def test_nothing_changed_is_nothing_done() -> None:
    cloud = running()
    assert cloud.roll() == Outcome(state="nothing")
    assert cloud.seen == []


def test_consumers_are_shifted_before_those_they_hear() -> None:
    cloud = running()
    cloud.changed = set(ENTRIES)
    assert cloud.roll().state == "done"
    whole = [name for name, shares in cloud.seen if shares == {cloud.services_[name].latest: WHOLE}]
    assert list(dict.fromkeys(whole)) == ["t", "m", "d", "s", "h", "h2"]
    first_shift = next(at for at, (_, shares) in enumerate(cloud.seen) if len(shares) > 1)
    assert len(cloud.tried) == len(ENTRIES)
    assert all(len(shares) == 1 for _, shares in cloud.seen[:first_shift]), "all are tried before any has traffic"


FAULTS = st.fixed_dictionaries(
    {"fail_at": st.integers(0, 80), "late": st.booleans(), "at_once": st.booleans(), "crash": st.just(False)}
)
CHANGED = st.sets(st.sampled_from(sorted(ENTRIES)), min_size=1)


def everything_old_or_everything_new(cloud: Cloud, old: Mapping[str, Mapping[str, int]], outcome: Outcome) -> None:
    if outcome.state == "done" or (outcome.state == "stuck" and not outcome.left):
        assert cloud.shares == cloud.latest, "what has passed stays"
        return
    assert outcome.state in {"rolled_back", "nothing"}
    for name, shares in old.items():
        assert cloud.shares[name] == shares, "all traffic is where it was"
    assert not set(cloud.marked) & set(old)


@settings(max_examples=200, deadline=None)
@given(fault=FAULTS, changed=CHANGED)
def test_wherever_it_fails_traffic_is_where_it_was(fault: dict[str, Any], changed: set[str]) -> None:
    """One call fails, before or after it took effect: nothing stays half-way, and the next run gets through."""
    cloud = running(at_once=fault["at_once"], without="m")
    old = cloud.shares
    cloud.changed, cloud.fail_at, cloud.late = set(changed), fault["fail_at"], fault["late"]
    outcome = cloud.roll()
    everything_old_or_everything_new(cloud, old, outcome)
    cloud.fail_at = None
    assert cloud.roll().state in {"done", "nothing"}
    assert cloud.shares == cloud.latest
    assert cloud.marked == []


@settings(max_examples=200, deadline=None)
@given(fault=FAULTS, changed=CHANGED, again=CHANGED)
def test_whoever_comes_after_a_crash_goes_on(fault: dict[str, Any], changed: set[str], again: set[str]) -> None:
    """The machine that deploys is gone in the middle; the next run, with more changes or without, gets through."""
    cloud = running(at_once=fault["at_once"], without="m")
    cloud.changed, cloud.fail_at, cloud.late, cloud.crash = set(changed), fault["fail_at"], fault["late"], True
    try:
        cloud.roll()
    except Crash:
        cloud.changed |= again
    cloud.fail_at = None
    outcome = cloud.roll()
    assert outcome.state in {"done", "nothing"}
    assert cloud.shares == cloud.latest
    assert cloud.marked == []


@settings(max_examples=200, deadline=None)
@given(fault=FAULTS, changed=CHANGED, bad=st.sampled_from(sorted(ENTRIES)), flaky=st.booleans())
def test_after_a_crash_a_bad_revision_still_goes_back(
    fault: dict[str, Any], changed: set[str], bad: str, flaky: bool
) -> None:
    """A crash, and then the next run finds the revision failing: everything goes to what served before both."""
    cloud = running()
    old = cloud.shares
    cloud.changed, cloud.fail_at, cloud.late, cloud.crash = {*changed, bad}, fault["fail_at"], fault["late"], True
    try:
        cloud.roll()
    except Crash:
        pass
    else:
        return
    cloud.fail_at = None
    if cloud.shares == cloud.latest and not cloud.changed:
        return  # all had passed before the crash
    (cloud.flaky if flaky and bad != "s" else cloud.bad).add(bad)
    outcome = cloud.roll()
    assert outcome.state == "rolled_back"
    assert cloud.shares == old


def test_a_rollout_cut_off_at_its_end_is_ended_and_not_repeated() -> None:
    """Once all traffic is at revisions that passed, a crash may leave marks and nothing else."""
    ends = 0
    for point in range(60):
        cloud = running()
        cloud.changed, cloud.fail_at, cloud.late, cloud.crash = {"h", "t"}, point, True, True
        try:
            cloud.roll()
        except Crash:
            pass
        else:
            break
        if cloud.shares != cloud.latest or not cloud.marked:
            continue
        ends += 1
        cloud.fail_at = None
        cloud.seen.clear()
        cloud.bad = {"h", "t"}
        assert cloud.roll().state == "nothing"
        assert all(shares == cloud.latest[name] for name, shares in cloud.seen), "no traffic moves"
        assert cloud.marked == []
    assert ends >= 2


def test_what_has_passed_stays_when_only_marks_are_left() -> None:
    """A failure in the last step sends nothing back, and the next run takes the marks off."""
    stuck = 0
    for point in range(60):
        cloud = running()
        cloud.changed, cloud.fail_at = {"h", "t"}, point
        outcome = cloud.roll()
        if outcome.state == "done":
            break
        reached = {name for name, shares in cloud.seen if shares == cloud.latest[name]}
        if outcome.state == "stuck" and outcome.functions:
            stuck += 1
            assert reached == {"h", "t"}
            assert cloud.shares == cloud.latest
    assert stuck >= 2


@settings(max_examples=200, deadline=None)
@given(first=st.integers(0, 60), second=st.integers(0, 60), late=st.booleans(), changed=CHANGED)
def test_a_failure_after_a_crash_leaves_nothing_half_way(
    first: int, second: int, late: bool, changed: set[str]
) -> None:
    """The run that takes over fails, too: everything is where it was before both, or stays where it has passed."""
    cloud = running()
    old = cloud.shares
    cloud.changed, cloud.fail_at, cloud.late, cloud.crash = set(changed), first, late, True
    try:
        cloud.roll()
    except Crash:
        pass
    else:
        return
    half = {name: shares.get(cloud.services_[name].latest, 0) for name, shares in cloud.shares.items()}
    # What got all traffic in all functions has passed, whether its marks were off when the first run died or not.
    ground = cloud.shares if all(share == 100 for share in half.values()) else old
    cloud.seen.clear()
    waiting = set(cloud.changed)
    cloud.calls, cloud.fail_at, cloud.crash = 0, second, False
    outcome = cloud.roll()
    if outcome.state in {"done", "nothing"}:
        assert cloud.shares == cloud.latest
        for name, shares in cloud.seen:
            assert shares.get(cloud.services_[name].latest, 0) >= half[name] or waiting, "no step back"
    elif second > 0:  # before its first look it knows of nothing that it could send back
        everything_old_or_everything_new(cloud, ground, outcome)


@pytest.mark.parametrize("how", ["bad", "flaky"])
@pytest.mark.parametrize("name", ["t", "h", "d"])
def test_a_failing_revision_sends_all_of_them_back(how: str, name: str) -> None:
    cloud = running()
    old = cloud.shares
    cloud.changed = {"t", "d", "h", "s"}
    getattr(cloud, how).add(name)
    outcome = cloud.roll()
    assert outcome.state == "rolled_back"
    assert name in outcome.reason
    assert cloud.shares == old
    if how == "bad":
        assert all(len(shares) == 1 for _, shares in cloud.seen), "no traffic ever reached it"
    getattr(cloud, how).clear()
    cloud.changed = {name}  # mended
    assert cloud.roll().functions == tuple(sorted({"t", "d", "h", "s"}, key="tmdsh".index)), "and the others resume"
    assert cloud.shares == cloud.latest


def test_a_new_function_has_no_way_back_and_is_told() -> None:
    cloud = running(without="h2")
    old = cloud.shares
    cloud.changed = {"h", "h2"}
    cloud.bad.add("h2")
    outcome = cloud.roll()
    assert (outcome.state, outcome.without_way_back) == ("rolled_back", ("h2",))
    assert {name: cloud.shares[name] for name in old} == old
    cloud.bad.clear()
    cloud.tried.clear()
    assert cloud.roll().state == "done"
    assert cloud.services_["h2"].latest in cloud.tried, "it is tried again"
    assert cloud.marked == []


def test_who_cannot_send_back_says_so_and_can_be_asked_again() -> None:
    cloud = running()
    old = cloud.shares
    cloud.changed = {"h", "t"}
    cloud.flaky.add("h")
    real = cloud.assign

    def dead_for_h(service: Service, targets: tuple[Target, ...]) -> None:
        if service.name == "h" and len(targets) == 1:
            raise OutsideError("no answer")
        real(service, targets)

    cloud.assign = dead_for_h  # type: ignore[method-assign]
    outcome = cloud.roll()
    assert (outcome.state, outcome.left) == ("stuck", ("h",))
    assert cloud.shares["t"] == old["t"]
    cloud.assign = real  # type: ignore[method-assign]
    again = Rollout(
        entries=ENTRIES, infrastructure=None, traffic=cloud, smoke=cloud, watch=cloud, report=lambda line: None
    )
    assert again.roll_back().state == "rolled_back"
    assert cloud.shares == old


def test_a_finished_rollout_can_be_rolled_back() -> None:
    """The revision before stays at 0 % with its tag: going back is one write a service."""
    cloud = running()
    old = cloud.shares
    cloud.changed = {"h", "m"}
    assert cloud.roll().state == "done"
    again = Rollout(
        entries=ENTRIES, infrastructure=None, traffic=cloud, smoke=cloud, watch=cloud, report=lambda line: None
    )
    assert again.roll_back().functions == ("h", "m")
    assert cloud.shares == old


def test_somebody_elses_deployment_ends_a_rollout() -> None:
    cloud = running()
    old = cloud.shares
    cloud.changed = {"h"}
    real = cloud.check

    def meanwhile(entry: Mapping[str, Any], service: Service, revision: str) -> None:
        real(entry, service, revision)
        cloud._deploy("h")

    cloud.check = meanwhile  # type: ignore[method-assign]
    outcome = cloud.roll()
    assert outcome.state == "rolled_back"
    assert "by somebody else" in outcome.reason
    assert cloud.shares == old


def test_an_interruption_is_a_failure() -> None:
    """Ctrl-C, and the signal that ends a build."""
    cloud = running()
    old = cloud.shares
    cloud.changed = {"h", "t"}

    def interrupted(service: str, revision: str, old: str) -> str:
        raise KeyboardInterrupt

    cloud.failing = interrupted  # type: ignore[method-assign]
    assert cloud.roll().state == "rolled_back"
    assert cloud.shares == old
