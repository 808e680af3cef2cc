"""What a verification of an audit trail answers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from common.model import Model, Timestamp

FindingKind = Literal[
    "entry_changed",
    "value_changed",
    "value_missing",
    "entry_removed",
    "entry_inserted",
    "block_changed",
    "block_removed",
    "copy_missing",
    "head_changed",
    "tail_cut",
]


class Finding(Model):
    """One thing that is not as it was sealed."""

    kind: FindingKind = Field(examples=["entry_changed"])
    block: int = Field(description="Number of the block; 0 where the entry is in none.", examples=[12])
    entry_id: str | None = Field(default=None, examples=["4d1f6c3a-0b7e-5a3c-9d55-0d3f1b2c4d5e"])
    detail: str = Field(examples=["the entry says something else than it did"])


class Verification(Model):
    """The result of verifying a tenant's trail."""

    status: Literal["intact", "broken", "not_verified"] = Field(
        description="`not_verified` before the first verification; it is once a day.", examples=["intact"]
    )
    verified_at: Timestamp | None = Field(
        default=None, description="When it began; null before the first.", examples=["2026-01-31T03:15:00.000000Z"]
    )
    blocks: int = Field(default=0, description="Blocks of the chain.", examples=[120])
    sealed: int = Field(default=0, description="Entries in them.", examples=[41234])
    entries: int = Field(default=0, description="Entries that were recomputed.", examples=[41234])
    whole: bool = Field(
        default=True,
        description="Whether all of them were: in trails of more than 20,000 entries only the newest are every night, "
        "and each of the others once in thirty nights, unless their number is not what the blocks say.",
        examples=[True],
    )
    unsealed: int = Field(default=0, description="Entries that wait for the next seal.", examples=[3])
    redacted: int = Field(default=0, description="Entries of which personal values were erased.", examples=[0])
    expired: int = Field(default=0, description="Sealed entries whose time to be kept is over.", examples=[0])
    head: str = Field(
        default="", description="Head of the chain: stands for every entry up to it.", examples=["0" * 64]
    )
    found: int = Field(default=0, description="Findings in all.", examples=[0])
    findings: list[Finding] = Field(default_factory=list, description="The first hundred.")


class VerifyTask(Model):
    """Body of the task that verifies a tenant's trail: which run of the schedule asked for it."""

    asked_at: Timestamp
