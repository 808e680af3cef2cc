"""What a transaction changes about keywords and their observations, told to whoever wants to take it back one day."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from common.aso.models import Keyword, RankObservation
from common.store import Work


@dataclass(frozen=True, kw_only=True, slots=True)
class KeywordChange:
    """One keyword as it was and as it becomes.

    Attributes:
        before: None for a new keyword.
        after: As written.
        born: Of a new keyword, as it is without the observations of this transaction.
    """

    before: Keyword | None
    after: Keyword
    born: Keyword | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ObservationChange:
    """One observation as it was (None for a new one) and as it becomes."""

    before: RankObservation | None
    after: RankObservation


Watch = Callable[[Work, Sequence[KeywordChange], Sequence[ObservationChange]], None]
"""Is told the changes of a transaction within it, once per attempt, and may add technical writes of its own."""
