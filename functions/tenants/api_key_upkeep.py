"""Write down when API keys were used, and what time does to them."""

from common.context import Context
from common.tenants.keys import last_use, upkeep
from triggers import schedule


@schedule.cron(
    "*/5 * * * *",
    needs={
        "firestore:write": "Stores when keys were used, and marks those that have expired.",
        "redis:use": "Takes the uses that requests have noted.",
    },
    timeout=300,
    max_instances=1,
)
def api_key_upkeep(context: Context) -> None:
    """Write down the noted uses, mark expired keys, and adopt keys from before there was an entity for them."""
    last_use.flush(context)
    upkeep.expire(context)
    upkeep.adopt(context)
