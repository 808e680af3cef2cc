"""The smoke test of a new revision that has no traffic yet, honest about what can be tried for which kind.

* Every kind: Cloud Run says that the revision is ready. Its container has started then, and a wrong environment, a
  missing secret or a broken import ends the start (``triggers.runtime``).
* HTTP functions behind API Gateway: a call to the revision's own address. Public ones must answer as they declare; all
  others are called without a platform credential and must refuse it as ours (401, a problem document), which runs
  routing, parsing and authentication and touches no data.
* Whatever takes calls from inside only (events, tasks, schedules, and HTTP functions behind the load balancer): a call
  from outside must be refused before it reaches the function. No event is made up: a function cannot tell it from one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from triggers.deploy.rollout.ports import CANDIDATE, OutsideError, Service, SmokeFailed
from triggers.deploy.rollout.run_admin import RunAdmin
from triggers.paths import PARAMETER

NOBODY = "00000000-0000-4000-8000-000000000000"
"""Stands for every path parameter; nothing has this id."""
REFUSED = frozenset({401, 403, 404})
"""What Cloud Run answers to strangers: without the right to call, or from the wrong network (404)."""
UNAUTHENTICATED = 401
INCOMPLETE = 422
PROBLEM = "application/problem+json"


@dataclass(frozen=True, kw_only=True)
class SmokeTest:
    """Tries revisions.

    Attributes:
        run: Cloud Run.
        identity: Returns an identity token for an address.
        open_doors: Whether HTTP functions can be reached from here (API Gateway in front of them).
        timeout: Seconds for one call; a cold start is part of it.
    """

    run: RunAdmin
    identity: Callable[[str], str]
    open_doors: bool
    timeout: float = 60
    session: requests.Session = field(default_factory=requests.Session)

    def check(self, entry: Mapping[str, Any], service: Service, revision: str) -> None:
        """Try a new revision.

        Raises:
            SmokeFailed: It does not do what it must.
            OutsideError: It could not be tried.
        """
        name = entry["name"]
        why = self.run.ready(name, revision)
        if why:
            raise SmokeFailed(f"{name}: {revision} is not ready: {why}")
        address = service.addresses.get(CANDIDATE) or service.addresses.get("", "")
        if not address:
            raise OutsideError(f"{name}: {revision} has no address to try it at")
        if entry["kind"] == "http" and self.open_doors:
            self.try_http(entry, address, self.identity(service.addresses.get("") or address))
        else:
            self.try_closed(name, address)

    def try_http(self, entry: Mapping[str, Any], address: str, token: str) -> None:
        """Call an HTTP function as nobody.

        Raises:
            SmokeFailed: It does not answer as it must.
            OutsideError: No answer came.
        """
        answer = self._call(entry["method"], address + PARAMETER.sub(NOBODY, entry["path"]), token)
        expected = entry["status"] if entry["public"] else UNAUTHENTICATED
        kind = answer.headers.get("Content-Type", "").partition(";")[0]
        if entry["public"] and answer.status_code == INCOMPLETE and kind == PROBLEM:
            return  # it needs a query that nobody has
        if answer.status_code != expected or (expected == UNAUTHENTICATED and kind != PROBLEM):
            told = f"{entry['method']} {entry['path']} answered {answer.status_code} ({kind or 'no type'})"
            raise SmokeFailed(f"{entry['name']}: {told}; {expected} is due")

    def try_closed(self, name: str, address: str) -> None:
        """Call as a stranger what strangers must not reach.

        Raises:
            SmokeFailed: The call came through.
            OutsideError: No answer came.
        """
        answer = self._call("POST", address, "")
        if answer.status_code not in REFUSED or answer.headers.get("Content-Type", "").startswith(PROBLEM):
            raise SmokeFailed(f"{name}: a stranger's call was answered {answer.status_code} and not turned away")

    def _call(self, method: str, address: str, token: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            return self.session.request(method, address, headers=headers, timeout=self.timeout, allow_redirects=False)
        except requests.RequestException as error:
            raise OutsideError(f"{address} does not answer: {type(error).__name__}") from error
