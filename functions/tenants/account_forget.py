"""Unlink the accounts of people who leave."""

from common.context import Context
from common.events import Envelope
from common.tenants.accounts import accounts
from triggers import message
from triggers.declaration import Retry


@message.subscribe(
    "tenants-events",
    filter='attributes.event_type = "user-removed"',
    retry=Retry(attempts=20, minimum=10, maximum=600),
    timeout=300,
    needs={
        "firestore:write": "Deletes the person's accounts and their tokens.",
        "kms:use": "Opens the tokens that are given back to providers.",
    },
    secrets={"XYNERGY_OAUTH_CLIENTS": "Says where the provider takes tokens back."},
)
def account_forget(envelope: Envelope, context: Context) -> None:
    """Give back the tokens of a person who was removed, and forget the accounts."""
    accounts.remove_of_person(context, envelope)
