"""The demonstration: one tenant's way from an imported export to ranked opportunities, through the public interface.

Everything happens over HTTP against the local cloud, as a customer would do it. Run as
``nox -s demo [-- --once] [--search-console FILE] [--metrics FILE] [--port PORT]``.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from rich.console import Console
from rich.table import Table

from triggers.local.cloud import LocalCloud

DATA = Path(__file__).with_name("data")
TENANT = "demo"
SCOPES = ["aso:read", "aso:write", "jobs:read"]


class StepFailed(Exception):
    """A step of the demonstration did not do what it says."""


@dataclass(frozen=True, kw_only=True)
class Customer:
    """A caller with a credential.

    Attributes:
        url: Base address of the local cloud.
        headers: Credential and tenant.
    """

    url: str
    headers: dict[str, str]

    def call(self, method: str, path: str, *, expect: Sequence[int] = (200,), **options: Any) -> requests.Response:
        """Call an operation; where the rate limit refuses it, wait as long as the answer says and call again.

        Raises:
            StepFailed: The status is not an expected one; carries the problem document.
        """
        headers = {**self.headers, **options.pop("headers", {})}
        answer = requests.request(method, f"{self.url}{path}", headers=headers, timeout=60, **options)
        if answer.status_code == requests.codes.too_many_requests:
            threading.Event().wait(float(answer.headers["Retry-After"]))
            answer = requests.request(method, f"{self.url}{path}", headers=headers, timeout=60, **options)
        if answer.status_code not in expect:
            raise StepFailed(f"{method} {path} answered {answer.status_code}: {answer.text[:500]}")
        return answer


class Demonstration:
    """The steps, in order; each prints what it did and raises ``StepFailed`` where it could not."""

    def __init__(self, cloud: LocalCloud, console: Console) -> None:
        self._console = console
        self._url = cloud.url
        self._operator = Customer(url=cloud.url, headers={"Authorization": f"Bearer {cloud.operator_key}"})
        self._customer = self._operator
        self.key = ""

    @contextmanager
    def _step(self, title: str) -> Iterator[Callable[[str], None]]:
        """Show a step with a spinner, then with its outcome and its time."""
        started = time.monotonic()
        outcome: list[str] = []
        with self._console.status(title):
            yield outcome.append
        seconds = time.monotonic() - started
        self._console.print(f"[green]done[/green] {title}: {'; '.join(outcome)} [dim]({seconds:.1f} s)[/dim]")

    def _wait(self, condition: Callable[[], Any], what: str, seconds: float = 60) -> Any:
        deadline = time.monotonic() + seconds
        pause, waiting = 0.3, threading.Event()
        while time.monotonic() < deadline:
            found = condition()
            if found:
                return found
            waiting.wait(pause)
            pause = min(pause * 1.5, 2.0)  # a key has 60 calls a minute, and polling uses them up too
        raise StepFailed(f"waited {seconds:.0f} s in vain: {what}")

    def create_tenant(self) -> None:
        """Create the tenant, wait for its data sets, and create an API key."""
        with self._step("Creating a tenant and an API key") as tell:
            body = {"tenant_id": TENANT, "name": "Demonstration Ltd", "tier": "pro"}
            self._operator.call("POST", "/v1/tenants", json=body, expect=(201, 409))
            self._wait(
                lambda: self._operator.call("GET", f"/v1/tenants/{TENANT}").json()["status"] == "active",
                "the tenant's data sets were not provisioned",
            )
            body_key = {"name": "demonstration", "scopes": SCOPES, "role": "admin"}
            created = self._operator.call("POST", f"/v1/tenants/{TENANT}/api-keys", json=body_key, expect=(201,))
            self.key = created.json()["key"]
            headers = {"Authorization": f"Bearer {self.key}", "X-Tenant-ID": TENANT}
            self._customer = Customer(url=self._url, headers=headers)
            tell(f"tenant {TENANT!r} is active with its own BigQuery data set aso_tenant_{TENANT}")

    def import_file(self, file: Path, source_format: str) -> None:
        """Upload a file and follow the job until it has ended."""
        with self._step(f"Importing {file.name}") as tell:
            accepted = self._customer.call(
                "POST",
                "/v1/aso/keywords/import",
                params={"format": source_format},
                data=file.read_bytes(),
                headers={"Content-Type": "text/csv"},
                expect=(202,),
            )
            location = f"/v1/jobs/{accepted.json()['job_id']}"
            ended = self._wait(lambda: self._ended(location), f"job {location} did not end", seconds=180)
            if ended["status"] != "succeeded":
                raise StepFailed(f"the import ended as {ended['status']}: {ended['error']}")
            result = ended["result"]
            tell(", ".join(f"{result[name]} {name}" for name in ("created", "updated", "unchanged", "refused")))

    def _ended(self, location: str) -> dict[str, Any] | None:
        job: dict[str, Any] = self._customer.call("GET", location).json()
        return job if job["status"] in {"succeeded", "failed", "cancelled"} else None

    def write_content(self) -> str:
        """Write a hub with two spokes, publish the hub; return the hub's id."""
        with self._step("Writing a hub and two spokes") as tell:
            hub = self._create("hub", "bicycle maintenance", "Bicycle maintenance from chain to headset", None)
            for keyword, title in (
                ("how to bleed hydraulic brakes", "How to bleed hydraulic brakes"),
                ("headset bearing replacement", "Replacing a headset bearing"),
            ):
                self._create("spoke", keyword, title, hub)
            self._customer.call("POST", f"/v1/aso/content/{hub}/publish", json={})
            tree = self._customer.call("GET", f"/v1/aso/hubs/{hub}/tree").json()
            tell(f"hub {hub} is published; its tree shows {len(tree['spokes'])} spokes")
            if len(tree["spokes"]) != 2:
                raise StepFailed(f"the hub tree is {tree}")
            return hub

    def _create(self, content_type: str, keyword: str, title: str, hub_id: str | None) -> str:
        slug = title.lower().replace(" ", "-")
        body = {
            "content_type": content_type,
            "keyword_primary": keyword,
            "title": title,
            "hub_id": hub_id,
            "url": f"https://example.com/{slug}",
        }
        answer = self._customer.call(
            "POST",
            "/v1/aso/content",
            json={name: value for name, value in body.items() if value is not None},
            headers={"Idempotency-Key": f"demonstration-{slug}"},
            expect=(201,),
        )
        return str(answer.json()["content_id"])

    def await_warehouse(self) -> None:
        """Wait until the changes have travelled Firestore -> relay -> Pub/Sub -> BigQuery."""
        with self._step("Waiting for the changes to travel Firestore -> relay -> Pub/Sub -> BigQuery") as tell:
            expected = self._count("/v1/aso/keywords")

            def arrived() -> dict[str, Any] | None:
                stats: dict[str, Any] = self._customer.call("GET", "/v1/aso/stats").json()
                complete = stats["total_keywords"]["value"] == expected and stats["total_content"]["value"] == 3
                return stats if complete else None

            stats = self._wait(arrived, f"BigQuery did not come to {expected} keywords and 3 pieces", seconds=120)
            average = stats["avg_ranking"]["value"]
            tell(f"BigQuery holds {expected} keywords and 3 pieces, average rank {average:.1f}")

    def _count(self, path: str) -> int:
        count, cursor = 0, None
        while True:
            parameters = {"limit": "200"} | ({"cursor": cursor} if cursor else {})
            page = self._customer.call("GET", path, params=parameters).json()
            count += len(page["items"])
            cursor = page["next_cursor"]
            if cursor is None:
                return count

    def scan(self) -> None:
        """Fire the hourly schedule, as Cloud Scheduler would, and wait for what it finds."""
        with self._step("Firing the hourly opportunity scan") as tell:
            self._operator.call("POST", "/_local/schedules/aso-opportunity-scan/fire", expect=(200, 202, 204))
            found = self._wait(self._opportunities, "the scan found no opportunity", seconds=90)
            tell(f"{len(found)} opportunities on the first page")
        self._console.print(_opportunity_table(found))
        for item in found[:3]:
            self._console.print(f"  {item['keyword']}: {item['recommendation']}")

    def _opportunities(self) -> list[dict[str, Any]]:
        parameters = {"status": "new", "limit": "20"}
        items: list[dict[str, Any]] = self._customer.call("GET", "/v1/aso/opportunities", params=parameters).json()[
            "items"
        ]
        return items

    def show_cache(self, hub: str) -> None:
        """Read a list twice, change a piece, and read again until the change shows."""
        with self._step("Reading through the cache") as tell:
            path, parameters = "/v1/aso/content", {"status": "published", "limit": "7"}
            states = [self._state(path, parameters) for _ in range(2)]
            if states != ["MISS", "HIT"]:
                raise StepFailed(f"two reads of the same list were {states}, not MISS and HIT")
            piece = self._customer.call("GET", f"/v1/aso/content/{hub}")
            self._customer.call(
                "PATCH",
                f"/v1/aso/content/{hub}",
                json={"meta_description": f"Edited at {time.time():.0f}"},
                headers={"If-Match": piece.headers["ETag"]},
            )
            self._wait(lambda: self._state(path, parameters) == "MISS", "the write did not invalidate the list")
            tell(f"{' then '.join(states)}, a write, then MISS again")

    def _state(self, path: str, parameters: dict[str, str]) -> str:
        return self._customer.call("GET", path, params=parameters).headers["X-Cache"]

    def run(self, search_console: Path, metrics: Path) -> None:
        """Walk all steps.

        Raises:
            StepFailed: One of them did not do what it says.
        """
        self.create_tenant()
        self.import_file(search_console, "search_console")
        self.import_file(metrics, "csv")
        hub = self.write_content()
        self.await_warehouse()
        self.scan()
        self.show_cache(hub)


def _opportunity_table(opportunities: list[dict[str, Any]]) -> Table:
    table = Table(title="Opportunities by expected gain", title_justify="left")
    table.add_column("keyword", min_width=16)
    table.add_column("type", no_wrap=True)
    for column in ("rank", "aim", "demand", "gain a month", "trust"):
        table.add_column(column, justify="right", no_wrap=True)
    for item in opportunities:
        searched = item["demand_basis"] == "search_volume"
        demand = f"{item['search_volume']} searches" if searched else f"{item['observed_impressions']} seen"
        table.add_row(
            item["keyword"],
            item["opportunity_type"].replace("_", " "),
            str(item["current_ranking"]),
            str(item["reachable_ranking"]),
            demand,
            f"{item['expected_gain']:.0f} visits",
            f"{item['confidence_score']:.2f}",
        )
    return table


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nox -s demo --", description=__doc__)
    parser.add_argument("--once", action="store_true", help="exit after the last step instead of serving on")
    parser.add_argument("--search-console", type=Path, default=DATA / "search-console-queries.csv", metavar="FILE")
    parser.add_argument("--metrics", type=Path, default=DATA / "keyword-metrics.csv", metavar="FILE")
    parser.add_argument("--port", type=int, default=8080, help="port of the functions (a free one if it is taken)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration; return 0 if every step did what it says."""
    options = _arguments(arguments)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    cloud = LocalCloud(port=options.port, schedules=not options.once, tell=lambda step: console.print(f"  {step}"))
    with cloud:
        console.print(f"[green]done[/green] Starting the platform: {cloud.url} [dim]({cloud.ready_after:.1f} s)[/dim]")
        demonstration = Demonstration(cloud, console)
        try:
            demonstration.run(options.search_console, options.metrics)
        except (StepFailed, requests.RequestException) as error:
            console.print(f"[red]failed[/red] {error}")
            return 1
        for label, value in (
            ("Operations", f"{cloud.url}/v1/docs"),
            ("Local cloud", f"{cloud.url}/_local"),
            ("Operator's key", cloud.operator_key),
            (f"Key of {TENANT}", demonstration.key),
            ("Try", f"curl -H 'Authorization: Bearer {demonstration.key}' {cloud.url}/v1/aso/opportunities"),
        ):
            console.print(f"{label:<15} {value}", soft_wrap=True)
        if not options.once:
            console.print("Press Ctrl-C to stop.")
            signal.sigwait({signal.SIGINT, signal.SIGTERM})
    return 0


if __name__ == "__main__":
    sys.exit(main())
