"""The audit of a site: from bodies that are given at once, from addresses by a job; kept either way."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from common import fetch
from common.answers import Answer, Page, Record
from common.aso.pages import robots as robots_txt
from common.aso.pages import site_fetch, sitemap
from common.aso.pages.entities import SITE_AUDITS
from common.aso.pages.published import pieces_of
from common.aso.pages.site_fetch import Collected
from common.aso.pages.site_findings import (
    Findings,
    Site,
    look_at_entries,
    look_at_robots,
    look_at_sitemap,
    of_site,
)
from common.aso.pages.site_models import SiteAudit, SiteAuditAnswer, SiteAuditQuery, SiteAuditRequest
from common.aso.pages.web_robots import served
from common.context import Context
from common.identifiers import uuid7
from common.jobs.run import JobRun
from common.jobs.service import start_job
from common.store import Repository, Work, transact
from common.web_address import web_address

RUN_FUNCTION = "aso-site-audit-run"
PIECES_AT_ONCE = 5000
PIECES_OF_A_JOB = 50_000


def request(context: Context, body: SiteAuditRequest) -> Answer[SiteAuditAnswer]:
    """Audit what is given, or begin the job that fetches (202).

    Raises:
        Unprocessable: ``robots_too_complex``; ``invalid_url``, ``blocked_address``, ``host_not_found``: the site is
            none that is fetched.
    """
    if body.sitemaps:
        audit = _given(context, body)
        answer = Answer(content=SiteAuditAnswer(audit=audit))
        return transact(context, lambda work: _kept(work, audit, answer))
    for url in _starts(body):
        fetch.check(context, url)
    parameters = body.model_dump(mode="json", exclude={"sitemaps"})

    def work(work: Work) -> Answer[SiteAuditAnswer]:
        job = start_job(work, type="site_audit", function=RUN_FUNCTION, parameters=parameters, unit="sitemaps")
        headers = {"Location": f"/v1/jobs/{job.job_id}"}
        return Answer(content=SiteAuditAnswer(job=job.view()), status=202, headers=headers)

    return transact(context, work)


def run(job: JobRun) -> Mapping[str, Any]:
    """Fetch robots.txt and sitemaps of a job's site and keep the audit; doing it again keeps no second one."""
    body = SiteAuditRequest.model_validate(job.parameters)
    audit_id, repository = str(job.job.job_id), Repository(SITE_AUDITS, job.context)
    known = repository.find(audit_id)
    audit = _fetched(job, body, audit_id) if known is None else known.value
    if known is None:
        transact(job.context, lambda work: work.create(SITE_AUDITS, audit), answers=False)
    return {
        "audit_id": audit_id,
        **audit.model_dump(include={"sitemaps", "urls", "pieces", "errors", "warnings", "notices"}),
    }


def get(context: Context, audit_id: str) -> Record[SiteAudit]:
    """Return an audit.

    Raises:
        NotFound: ``site_audit_not_found``.
    """
    return Repository(SITE_AUDITS, context).get(audit_id)


def listed(context: Context, query: SiteAuditQuery) -> Page[SiteAudit]:
    """Return audits, newest first.

    Raises:
        BadRequest: ``invalid_cursor``.
    """
    return Repository(SITE_AUDITS, context).page(limit=query.limit, cursor=query.cursor)


def _kept(work: Work, audit: SiteAudit, answer: Answer[SiteAuditAnswer]) -> Answer[SiteAuditAnswer]:
    work.create(SITE_AUDITS, audit)
    return answer


def _starts(body: SiteAuditRequest) -> list[str]:
    """Return one address of each site that a job would call first."""
    urls = [*([body.site_url] if body.site_url else []), *body.sitemap_urls]
    by_origin: dict[str, str] = {}
    for url in urls:
        by_origin.setdefault(web_address(url).origin, url)
    return list(by_origin.values())[:5]


def _given(context: Context, body: SiteAuditRequest) -> SiteAudit:
    findings, collected = Findings(), Collected()
    for number, given in enumerate(body.sitemaps, 1):
        name = given.url or f"sitemap {number}"
        read = sitemap.read(given.content)
        look_at_sitemap(findings, read, name)
        collected.sitemaps += 1
        if read.kind != "index":
            collected.entries += [(name, entry) for entry in read.entries]
    url = body.site_url or next((given.url for given in body.sitemaps if given.url), None)
    robots = None if body.robots is None else robots_txt.read(body.robots.encode())
    return _audited(
        context, body, findings, collected, robots, url, PIECES_AT_ONCE, audit_id=str(uuid7()), source="given"
    )


def _fetched(job: JobRun, body: SiteAuditRequest, audit_id: str) -> SiteAudit:
    findings = Findings()
    start = body.site_url or body.sitemap_urls[0]
    origin = web_address(start).origin
    robots = None
    if body.robots is not None:
        robots = robots_txt.read(body.robots.encode())
    else:
        found = served(job.context, origin)
        robots = found.robots
        if found.problem is not None:
            findings.add("robots_not_fetched", url=f"{origin}/robots.txt", detail=found.problem)
    named = [] if robots is None else [url for _, url in robots.sitemaps if "://" in url]
    urls = body.sitemap_urls or named or [f"{origin}/sitemap.xml"]
    collected = site_fetch.fetched(job.context, list(dict.fromkeys(urls)), findings, job.progress)
    return _audited(
        job.context, body, findings, collected, robots, start, PIECES_OF_A_JOB, audit_id=audit_id, source="fetched"
    )


def _audited(
    context: Context,
    body: SiteAuditRequest,
    findings: Findings,
    collected: Collected,
    robots: robots_txt.Robots | None,
    url: str | None,
    most_pieces: int,
    *,
    audit_id: str,
    source: str,
) -> SiteAudit:
    parts = None if url is None else urlsplit(url)
    host = None if parts is None or parts.hostname is None else parts.hostname.removesuffix(".")
    pieces, more = pieces_of(context, most_pieces)
    own = of_site(pieces, host)
    if more:
        findings.add("content_left_out", detail=f"only the newest {most_pieces} published pieces were compared")
    rules = None if robots is None else look_at_robots(findings, robots, body.agent)
    now = datetime.now(UTC)
    is_https = parts is not None and parts.scheme.lower() == "https"
    site = Site(host=host, is_https=is_https, rules=rules, now=now)
    urls = look_at_entries(findings, collected.entries, site, own)
    return SiteAudit.model_validate(
        {
            "audit_id": audit_id,
            "tenant_id": context.tenant_id,
            "host": host,
            "source": source,
            "job_id": audit_id if source == "fetched" else None,
            "agent": body.agent,
            "sitemaps": collected.sitemaps,
            "urls": urls,
            "pieces": len(own),
            "errors": findings.total("error"),
            "warnings": findings.total("warning"),
            "notices": findings.total("notice"),
            "findings": findings.listed(),
            "created_at": now,
        }
    )
