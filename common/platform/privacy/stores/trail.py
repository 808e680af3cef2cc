"""The audit trail: entries stay, because they prove what happened; personal values leave commitments and pseudonyms."""

from __future__ import annotations

from collections.abc import Iterator

from common.platform.audit import redaction
from common.platform.audit.entities import AUDIT_ENTRIES
from common.platform.privacy.person import mask_all
from common.platform.privacy.stores.port import Exported, Found, Walk
from common.store import Repository

PAGE = 200
AT_ONCE = 30


class Trail:
    """Entries of the audit trail."""

    name = "audit"
    hands_over = False

    def find(self, walk: Walk) -> Iterator[Found]:
        """Yield one entry for all that name the person."""
        count = redaction.count(walk.context, walk.person)
        if count:
            yield Found(kind="audit_entry", name="audit_entries", action="redact", count=count)

    def export(self, walk: Walk) -> Iterator[Exported]:
        """Yield what the person did: when, what kind of thing, and how; not what others wrote."""
        trail = Repository(AUDIT_ENTRIES, walk.context)
        actors = sorted(walk.person.values["user_id"])
        for start in range(0, len(actors), AT_ONCE):
            cursor = None
            while True:
                filters = [("actor_id", "in", actors[start : start + AT_ONCE])]
                page = trail.page(filters, ("-at",), limit=PAGE, cursor=cursor)
                for entry in page.items:
                    told = entry.model_dump(
                        mode="json", include={"entry_id", "entity", "document_id", "operation", "at", "fields"}
                    )
                    yield Exported(kind="audit_entry", data=mask_all(walk.person, told))
                cursor = page.next_cursor
                walk.alive()
                if cursor is None:
                    break

    def erase(self, walk: Walk) -> dict[str, int]:
        """Redact the person; the chain still verifies."""
        done = redaction.redact(walk.context, walk.person).entries
        return {"audit_entry": done} if done else {}
