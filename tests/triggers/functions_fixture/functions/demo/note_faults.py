"""Fail in the way asked for."""

import redis
from google.api_core import exceptions

from common.errors import Conflict, Unavailable
from common.model import Model
from triggers import http


class FaultQuery(Model):
    kind: str


@http.get("/v1/demo/faults", public=True, rate="none")
def note_faults(query: FaultQuery) -> None:
    """Raise what is asked for; nothing otherwise."""
    faults: dict[str, Exception] = {
        "unavailable": Unavailable("bigquery", "BigQuery does not answer", retry_after=7),
        "deadline": exceptions.DeadlineExceeded("504"),
        "aborted": exceptions.Aborted("contention"),
        "invalid": exceptions.InvalidArgument("our query is wrong"),
        "redis": redis.ConnectionError("no Redis"),
        "crash": RuntimeError("the password is hunter2"),
        "conflict": Conflict("url_taken", "taken", details={"taken_by": "x"}),
    }
    if query.kind in faults:
        raise faults[query.kind]
