"""A look at the failures of revisions that have traffic, in Cloud Monitoring.

https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.timeSeries/list
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from triggers.deploy.rollout.ports import OutsideError

ADDRESS = "https://monitoring.googleapis.com"
ERROR = 400
TOLERATED = 0.01
"""Share of requests that may fail (document 004: less than 1 %)."""
WORSE = 2.0
"""A revision that fails at most so many times as often as the one before is not to blame."""


@dataclass
class Failures:
    """Compares a new revision with the one before it.

    Attributes:
        project: Project id.
        token: Returns an access token.
        seconds: How long to watch; figures come up to four minutes late, so less than five minutes say little.
        address: Where the interface is.
        sleep: Waits.
    """

    project: str
    token: Callable[[], str]
    seconds: float = 300
    address: str = field(default_factory=lambda: ADDRESS)
    sleep: Callable[[float], None] = time.sleep
    _began: datetime = field(default_factory=lambda: datetime.now(UTC))

    def begin(self) -> None:
        """Begin a time of watching."""
        self._began = datetime.now(UTC)

    def failing(self, service: str, revision: str, old: str) -> str:
        """Wait until the time is over and say why a revision fails; empty where it does not.

        Raises:
            OutsideError: Monitoring does not answer.
        """
        self.sleep(max(0.0, (self._began + timedelta(seconds=self.seconds) - datetime.now(UTC)).total_seconds()))
        found = counts(self._series(service))
        return verdict(found.get(revision, {}), found.get(old, {}))

    def _series(self, service: str) -> list[Mapping[str, Any]]:
        parameters = {
            "filter": (
                'metric.type = "run.googleapis.com/request_count" AND resource.type = "cloud_run_revision"'
                f' AND resource.labels.service_name = "{service}"'
            ),
            "interval.startTime": self._began.isoformat(),
            "interval.endTime": datetime.now(UTC).isoformat(),
            "view": "FULL",
        }
        headers = {"Authorization": f"Bearer {self.token()}"}
        url = f"{self.address}/v3/projects/{self.project}/timeSeries"
        try:
            answer = requests.get(url, params=parameters, headers=headers, timeout=60)
        except requests.RequestException as error:
            raise OutsideError(f"Monitoring does not answer: {type(error).__name__}") from error
        if answer.status_code >= ERROR:
            raise OutsideError(f"Monitoring answers {answer.status_code}")
        return list(answer.json().get("timeSeries", []))


def counts(series: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Return requests by revision and class of answer (``2xx``, ``5xx``)."""
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for each in series:
        revision = each["resource"]["labels"]["revision_name"]
        of_class = each["metric"]["labels"].get("response_code_class", "")
        found[revision][of_class] += sum(int(point["value"].get("int64Value", 0)) for point in each.get("points", []))
    return found


def verdict(new: Mapping[str, int], old: Mapping[str, int]) -> str:
    """Say why a revision fails; empty where it does not, or nothing is known of it.

    It fails where more than one in a hundred of its requests do, and more than twice as many as of the old revision's:
    a dependency that is down fails both.
    """
    requests_, failed = sum(new.values()), new.get("5xx", 0)
    before = old.get("5xx", 0) / max(1, sum(old.values()))
    if not failed or failed / requests_ <= max(TOLERATED, WORSE * before):
        return ""
    return f"{failed} of {requests_} requests failed, and {before:.1%} of the old revision's"
