"""What undone imports leave behind on keywords that somebody changed since.

An import told a number, a later one another, and the first is undone: the number stays, because it is the later one's.
When the later one is undone too, the number that it found must not come back, but the one from before both. So the undo
of the first remembers what its value was and what was before it. It also remembers that it made the keyword.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from common.answers import Record
from common.aso.imports.journal import REMEMBERED, Fields, setting
from common.aso.models import Keyword
from common.identifiers import digest
from common.model import rfc3339
from common.store import Work
from common.technical import IMPORT_REMAINS, read_many


class Remains:
    """What is remembered of one keyword.

    Args:
        path: Of the technical document.
        made_at: When the keyword was made; what is known of an earlier one of the same id does not count.
        fields: The stored document, or None.
    """

    def __init__(self, path: str, made_at: str, fields: Mapping[str, Any] | None) -> None:
        known = (fields or {}).get("remains") or {}
        known = known if known.get("made_at") == made_at else {}
        self.born: str | None = known.get("born")
        self._kept: list[Fields] = list(known.get("kept", []))
        self._path = path
        self._made_at = made_at
        self._changed = False

    @property
    def any(self) -> bool:
        """Whether anything is remembered."""
        return self.born is not None or bool(self._kept)

    def was_made(self, born: str) -> None:
        """Remember that an import made the keyword, with the ranks that it had before the import told any."""
        self.born, self._changed = born, True

    def keep(self, group: str, told: Fields, before: Fields) -> None:
        """Remember what an import told of a group of fields, and what was there before."""
        self._kept.append({"group": group, "told": told, "before": before})
        self._changed = True

    def followed(self, group: str, values: Fields) -> Fields:
        """Return the values of a group with what undone imports told replaced by what was there before."""
        for kept in reversed(self._kept):
            if kept["group"] == group and kept["told"] == values:
                values = kept["before"]
                self._kept.remove(kept)
                self._changed = True
                return self.followed(group, values)
        return values

    def save(self, work: Work) -> None:
        """Write what changed within the transaction."""
        if not self._changed:
            return
        fields = {
            "tenant_id": work.context.tenant_id,
            "remains": {"made_at": self._made_at, "born": self.born, "kept": self._kept},
            "expires_at": datetime.now(UTC) + REMEMBERED,
        }
        work.write(self._path, setting(work.context, self._path, fields))


def remains_of(work: Work, keywords: Iterable[Record[Keyword]]) -> dict[str, Remains]:
    """Return what is remembered of some keywords, read in the transaction, by keyword id."""
    found = [record.value for record in keywords]
    paths = {each.keyword_id: f"{IMPORT_REMAINS.path}/{digest(each.tenant_id, each.keyword_id)}" for each in found}
    stored = read_many(work.context, paths.values(), work.transaction)
    return {
        each.keyword_id: Remains(paths[each.keyword_id], rfc3339(each.created_at), stored.get(paths[each.keyword_id]))
        for each in found
    }
