"""Give the tokens of deleted accounts back to the provider."""

from common.context import Context
from common.deliveries import DocumentDelivery
from common.tenants.accounts import accounts
from triggers import document


@document.deleted(
    "account_tokens/{account_id}",
    needs={
        "firestore:read": "Reads the tenant's wrapped key.",
        "kms:use": "Opens the token that is given back.",
    },
    secrets={"XYNERGY_OAUTH_CLIENTS": "Says where the provider takes tokens back."},
)
def account_token_revoke(change: DocumentDelivery, context: Context) -> None:
    """Revoke what was deleted, whoever deleted it (a person, an erasure, the end of a tenant); tried for a day."""
    accounts.given_back(context, change)
