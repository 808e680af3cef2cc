"""Check the ranks of a few keywords."""

from common.aso.tracking import checking
from common.aso.tracking.models import FetchTask
from common.context import Context
from triggers import task
from triggers.declaration import Retry


@task.handler(
    timeout=600,
    concurrency=4,
    dispatches_per_second=10,
    concurrent_dispatches=40,
    retry=Retry(attempts=5, minimum=30, maximum=600),
    needs={
        "firestore:write": "Reserves and settles the budget, claims each check, and records what it found.",
        "redis:use": "Leaves providers alone that keep failing, all instances together.",
        "storage:read": "Takes up a check that a crash interrupted from its stored answer.",
        "storage:write": "Keeps the providers' answers.",
    },
    secrets={
        "XYNERGY_RANK_PROVIDER_KEYS": "Keys of the providers of result pages, a JSON map by provider, {} for none."
    },
)
def rank_fetch(body: FetchTask, context: Context) -> None:
    """Ask the providers for each keyword's result page, within the budget; a repeated task pays for nothing twice."""
    checking.fetch_batch(context, body)
