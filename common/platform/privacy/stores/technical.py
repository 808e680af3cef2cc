"""Technical documents: stored answers, journals, dead letters, tombstones, searched through by content.

They declare no fields, so the tenant's documents of each collection are read page by page and searched for the person's
identifiers. Each collection says here what an erasure does with a document that has one in it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from google.api_core import exceptions
from google.cloud.firestore_v1.base_query import FieldFilter
from google.cloud.firestore_v1.field_path import FieldPath

from common import dead_letters
from common.clients.firestore import firestore_client
from common.context import Context
from common.firestore_calls import bounded, translated
from common.platform.privacy.needles import Needles
from common.platform.privacy.stores.port import Action, Exported, Found, Walk
from common.technical import COLLECTIONS, DEAD_LETTERS

PAGE = 300
TENANT_ID = "tenant_id"

How = Literal["withhold", "drop", "redact", "leave"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """What an erasure does with documents of a collection that have the person in them.

    Attributes:
        how: ``withhold``: a stored answer is emptied, and repeated requests are refused as before; ``drop``: the
            document goes; ``redact``: identifiers become pseudonyms; ``leave``: nobody can be in it.
        reason: Why.
    """

    how: How
    reason: str


_NOBODY = "Counters, plans and claims about keywords and tables; no person is named."
_SEALED = "Holds digests and sealed texts only, which tell nobody without the tenant's key."
RULES: Mapping[str, Rule] = {
    "system/idempotency/records": Rule(how="withhold", reason="Answers of a day, kept for repeated requests."),
    "system/uniqueness/keys": Rule(how="drop", reason="Holds a value for a document that is gone."),
    "system/tombstones/records": Rule(how="redact", reason="Tells who deleted a document, and which."),
    "system/credentials/api_keys": Rule(how="redact", reason="Credentials: who made them becomes a pseudonym."),
    "system/credentials/key_use": Rule(how="leave", reason="Ids of keys and when they were used last."),
    "system/credentials/invites": Rule(how="drop", reason="Tokens of invitations that the person did not accept."),
    "system/warehouse/marks": Rule(how="leave", reason=_NOBODY),
    "system/imports/files": Rule(how="leave", reason="Digests of files that were imported."),
    "system/imports/changes": Rule(how="redact", reason="What an import changed, so that it can be undone."),
    "system/imports/remains": Rule(how="redact", reason="What is left to be undone of an import."),
    "system/search_console/calls": Rule(how="leave", reason=_NOBODY),
    "system/dead_letters/messages": Rule(how="drop", reason="Events that could not be processed, with their content."),
    "system/ranks/plans": Rule(how="leave", reason=_NOBODY),
    "system/ranks/budgets": Rule(how="leave", reason=_NOBODY),
    "system/ranks/claims": Rule(how="leave", reason=_NOBODY),
    "system/ranks/noise": Rule(how="leave", reason=_NOBODY),
    "system/crypto/data_keys": Rule(how="leave", reason=_SEALED),
    "system/oauth/states": Rule(how="drop", reason="Accounts that are being linked at this moment."),
    "system/oauth/leases": Rule(how="leave", reason="Which process renews which account's tokens, for seconds."),
    "system/tenants/held_tasks": Rule(how="redact", reason="Work that waits until a suspended tenant goes on."),
    "system/privacy/cases": Rule(how="leave", reason=f"{_SEALED} Gone when the job is done."),
    "system/privacy/erasures": Rule(how="leave", reason=_SEALED),
    "system/privacy/erased_people": Rule(how="leave", reason=_SEALED),
    "system/audit/unsealed": Rule(how="leave", reason="Ids of entries that are not in the chain yet."),
    "system/audit/chains": Rule(how="leave", reason="Hashes and numbers of the audit trail's chain."),
    "system/audit/blocks": Rule(how="leave", reason="Hashes of entries; personal values are in them as commitments."),
}
"""Every technical collection by path."""

UNKNOWN = Rule(how="redact", reason="Nothing is said about this collection yet.")
"""What is done where somebody forgot to say; a test asks them to."""

_ACTIONS: Mapping[How, Action] = {"withhold": "clear", "drop": "drop", "redact": "pseudonymise"}


def rule_of(path: str) -> Rule:
    """Return the rule of a collection."""
    return RULES.get(path, UNKNOWN)


class Technical:
    """Technical documents."""

    name = "technical"
    hands_over = False

    def find(self, walk: Walk) -> Iterator[Found]:
        """Yield the documents with an identifier of the person in them."""
        for path, snapshot in self._with(walk):
            action = _ACTIONS[rule_of(path).how]
            yield Found(kind=path.removeprefix("system/"), name=snapshot.reference.path, action=action)

    def export(self, walk: Walk) -> Iterator[Exported]:
        """Yield nothing: these are copies of what other stores export, and traces of the machinery."""
        del walk
        yield from ()

    def erase(self, walk: Walk) -> dict[str, int]:
        """Treat every such document as its collection's rule says."""
        counts: dict[str, int] = {}
        for path, snapshot in self._with(walk):
            kind = path.removeprefix("system/")
            counts[kind] = counts.get(kind, 0) + _treated(walk, path, snapshot)
        return counts

    def _with(self, walk: Walk) -> Iterator[tuple[str, Any]]:
        needles = Needles(walk.person)
        for collection in COLLECTIONS:
            if rule_of(collection.path).how != "leave":
                for snapshot in of_tenant(walk.context, collection.path):
                    if needles.matches(_content(walk, collection.path, snapshot)):
                        yield collection.path, snapshot
                walk.alive()


def of_tenant(context: Context, path: str) -> Iterator[Any]:
    """Yield the tenant's documents of a technical collection; dead letters without a tenant may be anybody's."""
    owners: list[str | None] = [context.tenant_id, *([None] if path == DEAD_LETTERS.path else [])]
    client = context.clients.get(firestore_client)
    for owner in owners:
        query = client.collection(path).where(filter=FieldFilter(TENANT_ID, "==", owner))
        query = query.order_by("__name__").limit(PAGE)
        start = None
        while True:
            asked = query if start is None else query.start_after({"__name__": start})
            with translated():
                page = list(asked.stream(**bounded(context.deadline, 60)))
            yield from page
            if len(page) < PAGE:
                break
            start = page[-1].reference


def _content(walk: Walk, path: str, snapshot: Any) -> Any:
    """Return what is searched of a document; bytes that a dead letter keeps apart belong to it."""
    fields = snapshot.to_dict()
    if path != DEAD_LETTERS.path:
        return fields
    content = [fields]
    if fields.get("data") is None:
        apart = dead_letters.kept_apart(walk.context, snapshot.id)
        content += [] if apart is None else [apart]
    theirs = fields.get(TENANT_ID) == walk.context.tenant_id or Texts(walk.context.tenant_id).within(content)
    return content if theirs else None


@dataclass(frozen=True, slots=True)
class Texts:
    """Looks for one plain text in a value."""

    text: str

    def within(self, value: Any) -> bool:
        """Tell whether the text is anywhere in a value."""
        match value:
            case str():
                return self.text in value
            case bytes():
                return self.text.encode() in value
            case Mapping():
                return any(self.within(each) for each in value.values())
            case list():
                return any(self.within(each) for each in value)
            case _:
                return False


def _treated(walk: Walk, path: str, snapshot: Any) -> int:
    """Treat one document, in the version that was read; one that has changed meanwhile is found again later."""
    client = walk.context.clients.get(firestore_client)
    option = client.write_option(last_update_time=snapshot.update_time)
    how = rule_of(path).how
    if how == "drop":
        call = functools.partial(snapshot.reference.delete, option=option)
    else:
        changes = {**_redacted(walk, snapshot.to_dict()), **(_withheld() if how == "withhold" else {})}
        named = {FieldPath(name).to_api_repr(): value for name, value in changes.items()}
        call = functools.partial(snapshot.reference.update, named, option=option)
    try:
        with translated():
            call(**bounded(walk.context.deadline))
    except (exceptions.FailedPrecondition, exceptions.NotFound):
        return 0
    if path == DEAD_LETTERS.path:
        dead_letters.forget_apart(walk.context, snapshot.id)
    return 1


def _withheld() -> dict[str, Any]:
    """Return what empties a stored answer: its request is still refused to be carried out twice."""
    return {"body": b"", "headers": {}, "withheld": "erased", "etag_of_commit": False}


def _redacted(walk: Walk, fields: Mapping[str, Any]) -> dict[str, Any]:
    needles = Needles(walk.person)
    replaced = needles.replaced(dict(fields), walk.pseudonym)
    return {name: value for name, value in replaced.items() if value != fields.get(name)}
