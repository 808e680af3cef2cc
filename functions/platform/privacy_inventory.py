"""Read the processing inventory."""

from common.context import Context
from common.platform.privacy import inventory
from common.platform.privacy.inventory import Inventory
from triggers import http


@http.get("/v1/privacy/inventory", scope="privacy:read", roles=("admin",))
def privacy_inventory(context: Context) -> Inventory:
    """Read what is kept about people: which records and fields, why, how long, and where copies live.

    It is made from the declarations that the code itself works by, so it cannot leave anything out (GDPR art. 30).
    """
    return inventory.read(context)
