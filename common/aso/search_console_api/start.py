"""Starting synchronisations: one job for every tenant with a property each day, or one now."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter

from common.answers import Answer
from common.aso.site.entities import ASO_SETTINGS
from common.aso.site.service import site_of
from common.clients.firestore import firestore_client
from common.context import Context
from common.errors import Conflict, Unprocessable
from common.firestore_calls import bounded, translated
from common.held_work import resting
from common.identifiers import derived_uuid
from common.jobs.models import Job, JobView
from common.jobs.service import start_job
from common.store import Work, transact

RUN = "aso-search-console-sync-run"
TYPE = "search_console_sync"
PAGE = 300


def start_daily(context: Context) -> int:
    """Start the day's synchronisation of every tenant with a property; return how many. Repeating it starts none twice.

    Reads one document for each of these tenants, and none of the others.

    Raises:
        Unavailable: Firestore does not answer.
    """
    if not context.clients.settings.search_console_url:
        return 0
    today, started = datetime.now(UTC).date().isoformat(), 0
    rests = resting(context)
    for tenant_id, site in _connected(context):
        if tenant_id in rests:
            continue
        try:
            _start(context.for_tenant(tenant_id), site, name=today)
        except Conflict:
            continue
        started += 1
    return started


def start_now(context: Context) -> Answer[JobView]:
    """Start a synchronisation of the caller's tenant (202).

    Raises:
        Unprocessable: ``search_console_not_set``: the settings name no property; ``search_console_off``: this
            deployment does not call the API.
        Unavailable: Firestore does not answer.
    """
    if not context.clients.settings.search_console_url:
        raise Unprocessable("search_console_off", "This deployment does not call the Search Console API.")
    site = site_of(context).search_console_site
    if site is None:
        raise Unprocessable("search_console_not_set", "Set search_console_site in PUT /v1/aso/settings first.")
    job = _start(context, site)
    return Answer(content=job.view(), status=202, headers={"Location": f"/v1/jobs/{job.job_id}"})


def _start(context: Context, site: str, name: str | None = None) -> Job:
    job_id = None if name is None else derived_uuid(TYPE, context.tenant_id, name)

    def begin(work: Work) -> Job:
        return start_job(work, type=TYPE, function=RUN, parameters={"site": site}, unit="cuts", job_id=job_id)

    return transact(context, begin)


def _connected(context: Context) -> Iterator[tuple[str, str]]:
    """Yield tenant and property of every tenant that has one."""
    client = context.clients.get(firestore_client)
    query = (
        client.collection(ASO_SETTINGS.collection)
        .where(filter=FieldFilter("search_console_site", ">", ""))
        .select(["tenant_id", "search_console_site"])
        .order_by("search_console_site")
        .limit(PAGE)
    )
    after: firestore.DocumentSnapshot | None = None
    while True:
        asked = query if after is None else query.start_after(after)
        with translated():
            found = list(asked.stream(**bounded(context.deadline)))
        for snapshot in found:
            yield str(snapshot.get("tenant_id")), str(snapshot.get("search_console_site"))
        if len(found) < PAGE:
            return
        after = found[-1]
