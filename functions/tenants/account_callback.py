"""Take a person back from a provider of accounts."""

from common.answers import Answer
from common.context import Context
from common.tenants.accounts import linking
from common.tenants.accounts.models import Account, AccountCallbackQuery
from triggers import http


@http.get(
    "/v1/accounts/callback",
    public=True,
    timeout=60,
    needs={
        "firestore:write": "Uses up the state and stores the account with its tokens.",
        "kms:use": "Seals the tokens under the tenant's key.",
    },
    secrets={"XYNERGY_OAUTH_CLIENTS": "The provider asks who exchanges the code."},
)
def account_callback(query: AccountCallbackQuery, context: Context) -> Answer[Account]:
    """Link the account that a provider sends a browser back for; the state alone says whose link it is, once.

    Where the link named an address, the answer is 303 to it, with `account_id` or `error` as a parameter.
    """
    return linking.finish(context, query)
