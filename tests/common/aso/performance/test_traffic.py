"""The traffic of content pieces follows the visits of their pages, where enough is known of them."""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from typing import Any

import pytest

from common.aso import content
from common.aso.content_models import ContentCreate, PublishRequest
from common.aso.models import ContentPiece
from common.aso.performance.models import PerformanceRow
from common.aso.performance.record import record
from common.aso.performance.traffic import fold
from common.clients.registry import Clients
from common.context import Context
from common.warehouse.provision import provision_tenant
from tests.common.aso.scan.conftest import Warehouse, context_for

TODAY = date(2026, 11, 20)


@pytest.fixture
def tenant(clients: Clients) -> Context:
    """A tenant with tables."""
    context = context_for(clients, f"t{uuid.uuid4().hex[:10]}")
    provision_tenant(context, context.tenant_id)
    return context


def piece(context: Context, path: str, **fields: Any) -> ContentPiece:
    """Store a published piece; the change feed is somebody else's test."""
    body = {"content_type": "hub", "keyword_primary": path, "title": path, "url": f"https://example.com/{path}"}
    made = content.create(context, ContentCreate.model_validate(body | fields)).value
    return content.publish(context, made.content_id, PublishRequest()).value


def stored(context: Context, made: ContentPiece) -> ContentPiece:
    return content.get(context, made.content_id).value


def visited(day: int, path: str, clicks: int) -> PerformanceRow:
    told = {"date": str(TODAY - timedelta(days=day)), "page": f"https://Example.com/{path}/", "impressions": 100}
    return PerformanceRow.model_validate(told | {"clicks": clicks, "source": "test"})


def test_traffic_is_the_visits_of_the_newest_thirty_days(tenant: Context) -> None:
    shoes, boots, gone = piece(tenant, "shoes"), piece(tenant, "boots", monthly_traffic=3), piece(tenant, "gone")
    other = piece(tenant, "x", url="https://other.example/x", monthly_traffic=7, monthly_conversions=1)
    Warehouse(tenant).put("content_piece", [shoes, boots, gone, other])
    assert fold(tenant, TODAY).days == 0
    few = [visited(day, "shoes", 1) for day in range(3, 23)]
    record(tenant, few, "import-1")
    assert fold(tenant, TODAY).model_dump() == {"days": 20, "pieces": 0, "changed": 0}, "20 days are no month"
    record(tenant, [visited(day, "shoes", 2) for day in range(3, 43)] + [visited(4, "boots", 3)], "import-2")
    assert fold(tenant, TODAY).model_dump() == {"days": 30, "pieces": 4, "changed": 2}
    assert stored(tenant, shoes).monthly_traffic == 60
    assert stored(tenant, boots) == boots, "what is right already keeps its version"
    assert stored(tenant, gone).monthly_traffic == 0
    assert stored(tenant, other) == other, "of another host nothing is known"
    assert fold(tenant, TODAY).changed == 0, "the warehouse is behind, the documents are not"


def test_an_export_of_28_days_counts_as_a_month(tenant: Context) -> None:
    shoes = piece(tenant, "shoes", monthly_conversions=6)
    Warehouse(tenant).put("content_piece", [shoes])
    period = visited(3, "shoes", 28).model_copy(update={"from_date": str(TODAY - timedelta(days=30))})
    record(tenant, [period], "import")
    assert fold(tenant, TODAY).changed == 1
    assert (stored(tenant, shoes).monthly_traffic, stored(tenant, shoes).conversion_rate) == (30, 0.2)
    assert fold(tenant, TODAY + timedelta(days=70)).days == 0, "old figures say nothing of today"
