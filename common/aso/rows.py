"""Batches whose rows are judged one by one: a bad row is answered for itself and stops no other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Generic, Literal, TypeVar

from pydantic import ValidationError

from common.answers import RowProblem, RowResult, RowResults
from common.context import Context
from common.errors import Conflict
from common.firestore_calls import pause
from common.model import Model
from common.store import Work, transact

Row = TypeVar("Row", bound=Model)
Value = TypeVar("Value", bound=Model)
Result = TypeVar("Result")

Outcome = Literal["created", "updated", "unchanged"]
STATUS: Mapping[Outcome, int] = {"created": 201, "updated": 200, "unchanged": 200}

_CODES = {"extra_forbidden": "unknown_field", "missing": "required", "value_error": "invalid_value"}


class Batch(Generic[Row, Value]):
    """The rows of one request and what became of each.

    Args:
        model: Model of a row.
        rows: The rows as they came.
        pointer: Where the rows are in the body.

    Attributes:
        accepted: Position and model of the rows that fit the model and nobody has refused.
    """

    def __init__(self, model: type[Row], rows: Sequence[Any], pointer: str = "/rows") -> None:
        self.accepted: dict[int, Row] = {}
        self._results: dict[int, RowResult[Value]] = {}
        self._pointer = pointer
        for index, row in enumerate(rows):
            try:
                self.accepted[index] = row if isinstance(row, model) else model.model_validate(row)
            except ValidationError as error:
                self._refuse_invalid(index, row, error)

    def refuse(self, index: int, status: int, code: str, detail: str, field: str = "") -> None:
        """Answer a row with a refusal; it is no longer accepted."""
        self.accepted.pop(index, None)
        pointer = f"{self._pointer}/{index}{field}"
        problem = RowProblem(status=status, code=code, detail=detail, pointer=pointer)
        self._results[index] = RowResult(index=index, status=status, outcome="refused", problem=problem)

    def settle(self, results: Mapping[int, RowResult[Value]]) -> None:
        """Take over what became of rows; only after their transaction was committed."""
        self._results.update(results)

    def results(self) -> RowResults[Value]:
        """Return the answer, in the order of the request."""
        rows = [self._results[index] for index in sorted(self._results)]
        outcomes = [row.outcome for row in rows]
        return RowResults(
            rows=rows,
            created=outcomes.count("created"),
            updated=outcomes.count("updated"),
            unchanged=outcomes.count("unchanged"),
            refused=outcomes.count("refused"),
        )

    def _refuse_invalid(self, index: int, row: object, error: ValidationError) -> None:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        first, more = problems[0], len(problems) - 1
        field = "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in _within(first["loc"], row))
        detail = first["msg"].removeprefix("Value error, ") + (f" (and {more} more)" if more else "")
        self.refuse(index, 422, _CODES.get(first["type"], first["type"]), detail, field)


def _within(location: Sequence[str | int], given: object) -> list[str | int]:
    """Return the steps of a pydantic location that are in the row: it also names the members of unions."""
    steps: list[str | int] = []
    for at, step in enumerate(location):
        if isinstance(given, Mapping) and (step in given or at == len(location) - 1):
            given = given.get(step)
        elif isinstance(given, list) and isinstance(step, int) and step < len(given):
            given = given[step]
        else:
            continue
        steps.append(step)
    return steps


def transact_anew(context: Context, work: Callable[[Work], Result], codes: Collection[str]) -> Result:
    """Run one of several transactions of a batch, again where another request was faster to create the same document.

    Seen again, the document is an existing one, and the row is answered as a change of it.

    Args:
        context: Circumstances of the request.
        work: What to do; idempotent.
        codes: Conflicts that mean that somebody else created the document.
    """
    attempt = 0
    while True:
        try:
            return transact(context, work, answers=False)
        except Conflict as conflict:
            if conflict.code not in codes:
                raise
        attempt += 1
        pause(attempt, context.deadline)
