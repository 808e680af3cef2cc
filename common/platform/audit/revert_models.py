"""What setting a change back answers."""

from __future__ import annotations

import uuid

from pydantic import Field

from common.model import Model
from common.platform.audit.models import Operation


class Reverted(Model):
    """A change that was set back."""

    entry_id: uuid.UUID = Field(
        description="The entry that was set back; the entry of this change names it as `reverts`.",
        examples=["4d1f6c3a-0b7e-5a3c-9d55-0d3f1b2c4d5e"],
    )
    entity: str = Field(examples=["keyword"])
    document_id: str = Field(examples=["0198c5f2-7c1e-7d53-9a3b-1f6f0c2d4e5f"])
    operation: Operation = Field(description="What was undone.", examples=["updated"])
    fields: list[str] = Field(description="Fields that have their old values again.", examples=[["priority"]])
