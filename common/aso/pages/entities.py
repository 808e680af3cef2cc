"""The entities of pages: what an audit found on a piece's page, and between the pages of a hub."""

from __future__ import annotations

from common.aso.detectors.purposes import LINK_GAP_SCAN
from common.aso.pages.link_models import LinkAudit
from common.aso.pages.score_models import PageAudit
from common.aso.pages.site_models import SiteAudit
from common.entity import Entity, Index, Table

DATASET = "aso_tenant_{tenant_id}"

LINK_AUDITS = Entity(
    name="link_audit",
    domain="aso",
    model=LinkAudit,
    collection="link_audits",
    key="content_id",
    events={"created": "link-audit-completed", "updated": "link-audit-completed", "deleted": "link-audit-deleted"},
    indexes=(Index(fields=("tenant_id", "-checked_at")),),
    unindexed=("spokes", "orphans"),
    table=Table(
        dataset=DATASET,
        name="link_audits",
        key="content_id",
        columns={
            "content_id": "STRING NOT NULL",
            "linked": "INT64 NOT NULL",
            "nofollow": "INT64 NOT NULL",
            "missing": "INT64 NOT NULL",
            "unknown": "INT64 NOT NULL",
            "coverage": "FLOAT64",
            "orphans": "ARRAY<STRING>",
            "source": "STRING NOT NULL",
            "checked_at": "TIMESTAMP NOT NULL",
            "created_at": "TIMESTAMP NOT NULL",
            "updated_at": "TIMESTAMP",
        },
        partition="created_at",
        cluster=("content_id",),
    ),
    wakes=(LINK_GAP_SCAN,),
    kept={"*": "What was found stays found."},
)

PAGE_AUDITS = Entity(
    name="page_audit",
    domain="aso",
    model=PageAudit,
    collection="page_audits",
    key="audit_id",
    events={"created": "page-audited", "deleted": "page-audit-deleted"},
    indexes=(
        Index(fields=("tenant_id", "content_id", "-created_at")),
        Index(fields=("tenant_id", "created_at")),  # retention
    ),
    unindexed=("checks", "readability", "secondary_keywords", "title", "keyword", "url"),
    table=Table(
        dataset=DATASET,
        name="page_audits",
        key="audit_id",
        columns={
            "audit_id": "STRING NOT NULL",
            "content_id": "STRING",
            "keyword": "STRING NOT NULL",
            "url": "STRING",
            "definition": "STRING NOT NULL",
            "score": "FLOAT64 NOT NULL",
            "word_count": "INT64 NOT NULL",
            "created_at": "TIMESTAMP NOT NULL",
        },
        partition="created_at",
        cluster=("content_id",),
        immutable=True,
    ),
    retention="analytics",
    aged_by="created_at",
    audited="changes",
    kept={"*": "What was found stays found."},
)

SITE_AUDITS = Entity(
    name="site_audit",
    domain="aso",
    model=SiteAudit,
    collection="site_audits",
    key="audit_id",
    events={"created": "site-audit-completed", "deleted": "site-audit-deleted"},
    indexes=(
        Index(fields=("tenant_id", "-created_at")),
        Index(fields=("tenant_id", "created_at")),  # retention
    ),
    unindexed=("findings",),
    table=Table(
        dataset=DATASET,
        name="site_audits",
        key="audit_id",
        columns={
            "audit_id": "STRING NOT NULL",
            "host": "STRING",
            "source": "STRING NOT NULL",
            "sitemaps": "INT64 NOT NULL",
            "urls": "INT64 NOT NULL",
            "pieces": "INT64 NOT NULL",
            "errors": "INT64 NOT NULL",
            "warnings": "INT64 NOT NULL",
            "notices": "INT64 NOT NULL",
            "created_at": "TIMESTAMP NOT NULL",
        },
        partition="created_at",
        immutable=True,
    ),
    retention="analytics",
    aged_by="created_at",
    audited="changes",
    kept={"*": "What was found stays found."},
)
