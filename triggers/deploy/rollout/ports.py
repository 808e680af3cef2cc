"""What a rollout needs of the outside: Terraform, the traffic of services, a smoke test and a look at failures.

The state machine knows nothing else, so it runs without a cloud. Everything a port does may fail with ``OutsideError``,
before or after it took effect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from common.errors import XynergyError

CANDIDATE = "candidate"
"""Tag of the revision that traffic is being shifted to. While a service has one, a rollout is under way."""
PREVIOUS = "previous"
"""Tag of the revision that had all traffic before; it stays, for whoever wants to go back."""


class OutsideError(XynergyError):
    """Something outside failed or did not answer; whether it took effect is unknown."""


class SmokeFailed(XynergyError):
    """A new revision does not do what it must."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Traffic of one revision.

    Attributes:
        revision: Name of the revision; empty for "whatever is latest".
        percent: Its share of the traffic.
        tag: Tag under which it has an address of its own; empty for none.
    """

    revision: str
    percent: int
    tag: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """A Cloud Run service under a function.

    Attributes:
        name: Name of the function.
        latest: The newest revision, ready or not.
        traffic: Where traffic goes; "latest" already replaced by its revision.
        etag: Version of the service, against changes by others.
        addresses: Address by tag.
    """

    name: str
    latest: str
    traffic: tuple[Target, ...]
    etag: str
    addresses: Mapping[str, str]

    def tagged(self, tag: str) -> Target | None:
        """Return the target with a tag."""
        return next((target for target in self.traffic if target.tag == tag), None)

    @property
    def shares(self) -> dict[str, int]:
        """Percentage by revision, of those that have any."""
        found: dict[str, int] = {}
        for target in self.traffic:
            if target.percent:
                found[target.revision] = found.get(target.revision, 0) + target.percent
        return found


class Infrastructure(Protocol):
    """Terraform."""

    def apply(self) -> None:
        """Make what the plan says; every changed function gets a new revision.

        Raises:
            OutsideError: It failed, perhaps half-way.
        """


class Traffic(Protocol):
    """The services and their traffic."""

    def services(self) -> dict[str, Service]:
        """Return every service of the region by name."""

    def service(self, name: str) -> Service | None:
        """Return a service as it is now; None where there is none."""

    def assign(self, service: Service, targets: tuple[Target, ...]) -> None:
        """Set where the traffic of a service goes, all of it at once.

        Raises:
            OutsideError: It failed, or somebody else changed the service since it was read.
        """


class Smoke(Protocol):
    """The smoke test."""

    def check(self, entry: Mapping[str, Any], service: Service, revision: str) -> None:
        """Try a new revision that has no traffic yet.

        Raises:
            SmokeFailed: It does not do what it must.
            OutsideError: It could not be tried.
        """


class Watch(Protocol):
    """A look at the failures of revisions that have traffic."""

    def begin(self) -> None:
        """Begin a time of watching."""

    def failing(self, service: str, revision: str, old: str) -> str:
        """Wait until the time of watching is over and say why a revision fails; empty where it does not.

        Raises:
            OutsideError: Nobody can tell.
        """


Report = Callable[[str], None]
