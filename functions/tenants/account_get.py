"""Read a linked account."""

from common.answers import Record
from common.context import Context
from common.tenants.accounts import accounts
from common.tenants.accounts.models import Account
from triggers import http


@http.get(
    "/v1/accounts/{account_id}",
    scope="accounts:read",
    roles=("admin", "manager", "user"),
    needs={"firestore:read": "Reads the account."},
)
def account_get(account_id: str, context: Context) -> Record[Account]:
    """Return a linked account of one's own, or for administrators anybody's; never a token."""
    return accounts.get(context, account_id)
