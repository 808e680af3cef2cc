"""Unlink an account."""

from common.context import Context
from common.tenants.accounts import accounts
from triggers import http


@http.delete(
    "/v1/accounts/{account_id}",
    scope="accounts:write",
    roles=("admin", "manager", "user"),
    status=204,
    needs={
        "firestore:write": "Deletes the account and its tokens.",
        "kms:use": "Opens the token that is given back to the provider.",
    },
    secrets={"XYNERGY_OAUTH_CLIENTS": "Says where the provider takes tokens back."},
)
def account_unlink(account_id: str, context: Context) -> None:
    """Give an account's tokens back to the provider and forget it, whatever the provider answers."""
    accounts.unlink(context, account_id)
