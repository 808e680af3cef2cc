"""Begin to link an account of one's own at a provider."""

from common.answers import Answer
from common.context import Context
from common.tenants.accounts import linking
from common.tenants.accounts.models import AccountLink, AccountLinkStarted
from triggers import http


@http.post(
    "/v1/accounts/link",
    scope="accounts:write",
    roles=("admin", "manager", "user"),
    status=201,
    needs={
        "firestore:write": "Stores the state of the link under way, hashed.",
        "kms:use": "Seals what the code will be exchanged with under the tenant's key.",
    },
    secrets={"XYNERGY_OAUTH_CLIENTS": "Says what this deployment is registered as with providers of accounts."},
)
def account_link(body: AccountLink, context: Context) -> Answer[AccountLinkStarted]:
    """Return the address at the provider to send one's browser to; people only, within ten minutes.

    Linking an account again that `needs_reauth` makes it active.
    """
    return linking.start(context, body)
