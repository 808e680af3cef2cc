"""Cloud Run's Admin API, version 2: services, their traffic, and whether a revision is ready.

https://cloud.google.com/run/docs/reference/rest/v2/projects.locations.services
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import requests

from triggers.deploy.rollout.ports import OutsideError, Service, Target

ADDRESS = "https://run.googleapis.com"
LATEST = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"
REVISION = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
NOT_FOUND = 404
ERROR = 400
TRANSIENT = frozenset({429, 500, 502, 503, 504})
ATTEMPTS = 4
PAGE = 100


@dataclass
class RunAdmin:
    """The services of one region.

    Attributes:
        project: Project id.
        region: Region.
        token: Returns an access token.
        address: Where the interface is.
        patience: Seconds for an operation to end.
        pause: Seconds between two looks at an operation.
    """

    project: str
    region: str
    token: Callable[[], str]
    address: str = field(default_factory=lambda: ADDRESS)
    patience: float = 300
    pause: float = 2
    _session: requests.Session = field(default_factory=requests.Session)

    @property
    def parent(self) -> str:
        """Name of the region's services' parent."""
        return f"projects/{self.project}/locations/{self.region}"

    def services(self) -> dict[str, Service]:
        """Return every service of the region by name.

        Raises:
            OutsideError: Cloud Run does not answer.
        """
        found: dict[str, Service] = {}
        page = ""
        while True:
            answer = self._get(f"/v2/{self.parent}/services?pageSize={PAGE}&pageToken={page}") or {}
            found |= {made.name: made for made in map(service_of, answer.get("services", []))}
            page = answer.get("nextPageToken", "")
            if not page:
                return found

    def service(self, name: str) -> Service | None:
        """Return one service; None where there is none.

        Raises:
            OutsideError: Cloud Run does not answer.
        """
        answer = self._get(f"/v2/{self.parent}/services/{name}")
        return None if answer is None else service_of(answer)

    def assign(self, service: Service, targets: tuple[Target, ...]) -> None:
        """Set the traffic of a service, unless it changed since it was read; returns when that has taken effect.

        Raises:
            OutsideError: Cloud Run refused, or did not answer.
        """
        operation = self._send(
            "PATCH",
            f"/v2/{self.parent}/services/{service.name}?updateMask=traffic",
            traffic_body(self.parent, service, targets),
        )
        self._await(operation or {}, f"{service.name}: traffic")

    def ready(self, service: str, revision: str) -> str:
        """Wait until a revision is ready, and say why it is not; empty where it is.

        Raises:
            OutsideError: Cloud Run does not answer.
        """
        end = time.monotonic() + self.patience
        while True:
            found = self._get(f"/v2/{self.parent}/services/{service}/revisions/{revision}")
            if found is None:
                return "there is no such revision"
            condition: dict[str, Any] = next(
                (each for each in found.get("conditions", []) if each.get("type") == "Ready"), {}
            )
            state = condition.get("state", "CONDITION_PENDING")
            if state == "CONDITION_SUCCEEDED":
                return ""
            if state == "CONDITION_FAILED" or time.monotonic() > end:
                return str(condition.get("message") or state)
            time.sleep(self.pause)

    def _await(self, operation: Mapping[str, Any], what: str) -> None:
        end = time.monotonic() + self.patience
        while not operation.get("done"):
            if time.monotonic() > end or not operation.get("name"):
                raise OutsideError(f"{what}: no end after {self.patience:g} s")
            time.sleep(self.pause)
            operation = self._get(f"/v2/{operation['name']}") or {}
        if "error" in operation:
            raise OutsideError(f"{what}: {operation['error'].get('message', 'failed')}")

    def _get(self, path: str) -> dict[str, Any] | None:
        for attempt in range(ATTEMPTS):
            try:
                return self._send("GET", path, None)
            except OutsideError:
                if attempt == ATTEMPTS - 1:
                    raise
                time.sleep(self.pause * attempt)
        raise AssertionError("the loop returns or raises")

    def _send(self, method: str, path: str, body: object) -> dict[str, Any] | None:
        """Send one request; None where there is no such thing."""
        headers = {"Authorization": f"Bearer {self.token()}"}
        try:
            answer = self._session.request(method, self.address + path, json=body, headers=headers, timeout=60)
        except requests.RequestException as error:
            raise OutsideError(f"Cloud Run does not answer: {type(error).__name__}") from error
        if answer.status_code == NOT_FOUND and method == "GET":
            return None
        if answer.status_code >= ERROR:
            raise OutsideError(f"{method} {path.partition('?')[0]}: {answer.status_code} {_message(answer)}")
        try:
            return cast("dict[str, Any]", answer.json())
        except requests.JSONDecodeError as error:
            raise OutsideError(f"{method} {path.partition('?')[0]}: no JSON in the answer") from error


def _message(answer: requests.Response) -> str:
    try:
        return str(answer.json()["error"]["message"])
    except (requests.JSONDecodeError, KeyError, TypeError):
        return answer.reason


def service_of(record: Mapping[str, Any]) -> Service:
    """Read a service as the interface gives it."""
    latest = str(record.get("latestCreatedRevision", "")).rpartition("/")[2]
    return Service(
        name=str(record["name"]).rpartition("/")[2],
        latest=latest,
        traffic=tuple(
            Target(
                revision=latest if each.get("type") == LATEST else each.get("revision", "").rpartition("/")[2],
                percent=int(each.get("percent", 0)),
                tag=each.get("tag", ""),
            )
            for each in record.get("traffic", [])
        ),
        etag=record.get("etag", ""),
        addresses={each["tag"]: each["uri"] for each in record.get("trafficStatuses", []) if each.get("tag")}
        | {"": record.get("uri", "")},
    )


def traffic_body(parent: str, service: Service, targets: tuple[Target, ...]) -> dict[str, Any]:
    """Return the body that sets the traffic of a service."""
    return {
        "name": f"{parent}/services/{service.name}",
        "etag": service.etag,
        "traffic": [
            {"type": REVISION, "revision": target.revision, "percent": target.percent}
            | ({"tag": target.tag} if target.tag else {})
            for target in targets
        ],
    }


def traffic_command(service: str, targets: tuple[Target, ...], region: str) -> list[str]:
    """Return what does the same in a shell, for people."""
    shares = ",".join(f"{target.revision}={target.percent}" for target in targets if target.percent)
    return ["gcloud", "run", "services", "update-traffic", service, f"--to-revisions={shares}", f"--region={region}"]
