"""Firestore and BigQuery agree row for row and column for column; where they do not, reconciliation mends it."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from common.clients.bigquery import bigquery_client
from common.context import Context
from common.warehouse import source
from common.warehouse.marks import due
from common.warehouse.reconcile import Report, reconcile
from common.warehouse.tables import Relations, relations
from tests.end_to_end.support import behind, job_ended
from tests.functions.platform.test_warehouse_path import agree, in_bigquery
from tests.stack import Caller, Stack, TenantHandle, wait_for

TODAY = datetime.now(UTC).date()


class Writer:
    """Makes mixed writes as one tenant and counts those that were acknowledged."""

    def __init__(self, client: Caller, seed: int) -> None:
        self.client = client
        self.chance = random.Random(seed)
        self.written = 0

    def all(self) -> int:
        """Write about four hundred times; return how often."""
        for start in range(0, 120, 40):
            self.keywords(range(start, start + 40))
        self.keywords(self.chance.sample(range(120), 50))
        for _ in range(2):
            self.ranks(self.chance.sample(range(130), 40))
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(self.piece, range(15)))
        self.hub_with_spokes()
        for keyword in self.chance.sample(self.listed("keywords", "keyword_id"), 20):
            self.count(self.client.delete(f"/v1/aso/keywords/{keyword}").status_code in {200, 204})
        self.keywords(range(100, 130))
        return self.written

    def count(self, fine: object, number: int = 1) -> None:
        """Count what was acknowledged."""
        assert fine
        self.written += number

    def keywords(self, numbers: Any) -> None:
        """Create or change keywords."""
        rows = [
            {"keyword": f"shoes {number}", "search_volume": self.chance.randrange(2000), "difficulty_score": 12.5}
            for number in numbers
        ]
        answer = self.client.post("/v1/aso/keywords", {"rows": rows})
        assert answer.status_code == 207, answer.text
        self.count(answer.json()["refused"] == 0, sum(row["outcome"] != "unchanged" for row in answer.json()["rows"]))

    def ranks(self, numbers: Any) -> None:
        """Record ranks; each is an observation and a change of its keyword."""
        states: list[dict[str, Any]] = [
            {"state": "ranked", "position": 7},
            {"state": "ranked", "position": 14},
            {"state": "not_found", "depth": 100},
            {"state": "check_failed"},
        ]
        rows = [
            {
                "keyword": f"shoes {number}",
                "date": (TODAY - timedelta(days=self.chance.randrange(20))).isoformat(),
                **self.chance.choice(states),
            }
            for number in numbers
        ]
        answer = self.client.post("/v1/aso/ranks", {"rows": rows})
        assert answer.status_code == 207, answer.text
        self.count(True, sum(row["outcome"] in {"created", "updated"} for row in answer.json()["rows"]))

    def piece(self, number: int) -> None:
        """Create a piece, change it, and publish, archive or delete it."""
        body = {"content_type": "hub", "keyword_primary": f"shoes {number}", "title": f"Shoes {number} 'é' 🥾"}
        made = self.client.post("/v1/aso/content", {**body, "url": f"https://example.com/{number}"})
        self.count(made.status_code == 201)
        path = f"/v1/aso/content/{made.json()['content_id']}"
        changes = {"word_count": number, "keyword_secondary": ["a", "b"], "performance_score": 12.25}
        changed = self.client.patch(path, changes, headers={"If-Match": made.headers["ETag"]})
        self.count(changed.status_code == 200)
        if number % 3:
            published = self.client.post(f"{path}/publish", {}, headers={"If-Match": changed.headers["ETag"]})
            self.count(published.status_code == 200)
        else:
            self.count(self.client.delete(path).status_code in {200, 204})

    def hub_with_spokes(self) -> None:
        """Create a hub with spokes; delete another one with all of its own."""
        for doomed in (False, True):
            body = {"content_type": "hub", "keyword_primary": "hub", "title": "Hub"}
            hub = self.client.post("/v1/aso/content", body).json()["content_id"]
            for number in range(3):
                spoke = {**body, "content_type": "spoke", "hub_id": hub, "title": f"Spoke {number}"}
                self.count(self.client.post("/v1/aso/content", spoke).status_code == 201)
            if doomed:
                self.count(self.client.delete(f"/v1/aso/content/{hub}?cascade=true").status_code == 200, 4)

    def listed(self, kind: str, key: str) -> list[str]:
        """Return the ids of a list."""
        return [item[key] for item in self.client.get(f"/v1/aso/{kind}?limit=200").json()["items"]]


def reports(context: Context, *, repair: bool) -> dict[str, Report]:
    """Reconcile every entity, as if no change were under way."""
    return {
        entity.name: reconcile(context, entity, repair=repair, grace=timedelta(0))
        for entity in source.warehouse_entities()
    }


def differences(found: dict[str, Report]) -> dict[str, tuple[int, int, int]]:
    """Return missing, stale and orphaned by entity, where there are any."""
    counts = {name: (each.missing, each.stale, each.orphaned) for name, each in found.items()}
    return {name: each for name, each in counts.items() if any(each)}


def test_a_thousand_writes_of_three_tenants(cloud: Stack) -> None:
    tenants = [cloud.tenant() for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        written = list(pool.map(lambda pair: Writer(pair[1].client, pair[0]).all(), enumerate(tenants)))
    assert sum(written) >= 1000
    cloud.settled(200)
    contexts = [behind(cloud, tenant.tenant_id) for tenant in tenants]
    wait_for(lambda: all(map(agree, contexts)), 60, every=1, what="the views agree")
    for context in contexts:
        assert differences(reports(context, repair=False)) == {}
    cloud.fire("platform-warehouse-merge")
    wait_for(lambda: all(agree(context, "") for context in contexts), 90, every=1, what="the tables agree")
    wait_for(lambda: all(map(agree, contexts)), 60, every=1, what="the views agree as before")
    assert not {tenant.tenant_id for tenant in tenants} & {mark.tenant_id for mark in due(contexts[0], "merge")}
    for context in contexts:
        assert differences(reports(context, repair=False)) == {}
        assert {table for table, _ in in_bigquery(context)} == {"content_pieces", "keywords", "rank_observations"}


def damage(context: Context, keyword_ids: list[str]) -> None:
    """Lose, age and invent rows, as no client of ours could."""
    client = context.clients.get(bigquery_client)
    by_name: dict[str, Relations] = {
        each.name: relations(context.clients.settings.project, context.tenant_id, each)
        for each in source.warehouse_entities()
    }
    keywords, observations = by_name["keyword"], by_name["rank_observation"]
    assert keywords.current is not None
    lost, aged = (", ".join(f"'{each}'" for each in part) for part in (keyword_ids[:3], keyword_ids[3:5]))
    older = "search_volume = 1, change_sequence = change_sequence - 60000000"
    ghost = f"SELECT * REPLACE('ghost' AS keyword_id) FROM {keywords.current.sql} WHERE keyword_id = '{keyword_ids[5]}'"
    for statement in (
        f"DELETE FROM {keywords.log.sql} WHERE keyword_id IN ({lost}, {aged})",
        f"DELETE FROM {keywords.current.sql} WHERE keyword_id IN ({lost})",
        f"UPDATE {keywords.current.sql} SET {older} WHERE keyword_id IN ({aged})",
        f"INSERT INTO {keywords.current.sql} {ghost}",
        f"DELETE FROM {observations.log.sql} WHERE keyword_id = '{keyword_ids[0]}'",
    ):
        client.query(statement).result()


def test_a_damaged_warehouse_is_mended(cloud: Stack, tenant: TenantHandle, context: Context) -> None:
    rows = [{"keyword": f"shoes {number}", "search_volume": 100 + number} for number in range(10)]
    ids = [row["value"]["keyword_id"] for row in tenant.client.post("/v1/aso/keywords", {"rows": rows}).json()["rows"]]
    ranks = [
        {"keyword": f"shoes {number}", "date": TODAY.isoformat(), "state": "ranked", "position": 9}
        for number in range(4)
    ]
    assert tenant.client.post("/v1/aso/ranks", {"rows": ranks}).status_code == 207
    cloud.settled()
    cloud.fire("platform-warehouse-merge")
    wait_for(lambda: agree(context, ""), 60, every=0.5, what="merged")
    damage(context, ids)
    assert len(in_bigquery(context)) == 10 - 3 + 1 + 4 - 1
    found = differences(reports(context, repair=False))
    assert found == {"keyword": (3, 2, 1), "rank_observation": (1, 0, 0)}
    assert differences(reports(context, repair=False)) == found, "looking changes nothing"
    repaired = reports(context, repair=True)
    assert {name: each.repaired for name, each in repaired.items() if each.repaired} == {
        "keyword": 6,
        "rank_observation": 1,
    }
    assert agree(context)
    assert differences(reports(context, repair=False)) == {}
    cloud.fire("platform-warehouse-merge")
    wait_for(lambda: agree(context, ""), 60, every=0.5, what="the repair is merged")
    started = cloud.post("/v1/platform/reconciliations", {"tenant_id": tenant.tenant_id, "repair": True})
    job = wait_for(lambda: job_ended(tenant.client, started.json()["job_id"]), 60)
    assert (job["status"], [each["repaired"] for each in job["result"]["entities"].values() if each["repaired"]]) == (
        "succeeded",
        [],
    )
