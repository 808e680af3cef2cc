"""List linked accounts."""

from common.answers import Page
from common.context import Context
from common.tenants.accounts import accounts
from common.tenants.accounts.models import Account, AccountListQuery
from triggers import http


@http.get(
    "/v1/accounts",
    scope="accounts:read",
    roles=("admin", "manager", "user"),
    needs={"firestore:read": "Reads a page of accounts."},
)
def account_list(query: AccountListQuery, context: Context) -> Page[Account]:
    """Return one's own linked accounts, or for administrators everybody's; the newest first, never a token."""
    return accounts.listed(context, query)
