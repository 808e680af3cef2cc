"""Trying again within the deadline."""

from __future__ import annotations

import http

import pytest
from google.api_core import exceptions

from common.calls import is_transient, retrying
from common.clients.registry import Clients
from common.context import Context, Deadline
from common.errors import NotFound, Unavailable
from common.settings import Settings
from tests.common.security import key_principal

CLIENTS = Clients(Settings(environment="local", project="demo"))


def context(seconds: float = 60) -> Context:
    return Context(
        function="tests",
        tenant_id="acme",
        principal=key_principal("acme"),
        clients=CLIENTS,
        deadline=Deadline.after(seconds),
    )


class Flaky:
    """Fails so many times before it works."""

    def __init__(self, failures: int, error: Exception) -> None:
        self.failures, self.error, self.calls = failures, error, 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error
        return "done"


TRANSIENT = [
    Unavailable("bigquery", "down"),
    ConnectionResetError(),
    TimeoutError(),
    exceptions.ServiceUnavailable("x"),
    exceptions.TooManyRequests("x"),
    exceptions.InternalServerError("x"),
    exceptions.DeadlineExceeded("x"),
]
PERMANENT = [
    ValueError(),
    NotFound("thing_not_found", "x"),
    exceptions.NotFound("x"),
    exceptions.PermissionDenied("x"),
    exceptions.BadRequest("x"),
]


@pytest.mark.parametrize("error", TRANSIENT, ids=lambda error: type(error).__name__)
def test_a_transient_failure_is_tried_again(error: Exception) -> None:
    flaky = Flaky(2, error)
    assert retrying(context(), "bigquery", flaky) == "done"
    assert flaky.calls == 3


@pytest.mark.parametrize("error", TRANSIENT, ids=lambda error: type(error).__name__)
def test_it_gives_up_after_the_last_attempt(error: Exception) -> None:
    flaky = Flaky(9, error)
    with pytest.raises(Unavailable) as given_up:
        retrying(context(), "bigquery", flaky, attempts=2)
    assert given_up.value.dependency == "bigquery"
    assert flaky.calls == 2


@pytest.mark.parametrize("error", PERMANENT, ids=lambda error: type(error).__name__)
def test_a_permanent_failure_passes_at_once(error: Exception) -> None:
    flaky = Flaky(1, error)
    with pytest.raises(type(error)):
        retrying(context(), "bigquery", flaky)
    assert flaky.calls == 1


def test_nothing_is_called_after_the_deadline() -> None:
    flaky = Flaky(0, ValueError())
    with pytest.raises(Unavailable):
        retrying(context(0), "bigquery", flaky)
    assert flaky.calls == 0


def test_the_pauses_end_with_the_deadline() -> None:
    flaky = Flaky(1_000_000, ConnectionError())
    circumstances = context(0.3)
    with pytest.raises(Unavailable):
        retrying(circumstances, "bigquery", flaky, attempts=1_000_000)
    assert 1 < flaky.calls < 1_000_000


def test_statuses_count_whatever_library_they_come_from() -> None:
    class Answered(Exception):
        def __init__(self, code: object) -> None:
            self.code = code

    assert is_transient(Answered(503))
    assert is_transient(Answered(http.HTTPStatus.BAD_GATEWAY))
    assert not is_transient(Answered(404))
    assert not is_transient(Answered("503"))
    assert not is_transient(Answered(None))
