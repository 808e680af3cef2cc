"""Where an answer says that what was made can be read."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from common.answers import Answer, Record
from common.clients.registry import Clients
from common.model import Model
from common.settings import Settings
from triggers.exchange import Exchange
from triggers.rendering import rendered

ROUTE = "/v1/demo/notes/{note_id}"


class Note(Model):
    note_id: str


@pytest.fixture
def exchange() -> Exchange:
    return Exchange({"REQUEST_METHOD": "POST"}, Clients(Settings(environment="cloud", project="demo")))


def record(note_id: str = "7") -> Record[Note]:
    return Record(value=Note(note_id=note_id), update_time=datetime.now(UTC))


@pytest.mark.parametrize("result", [Note(note_id="7"), record(), Answer(content=record(), status=201)])
def test_what_was_made_is_at_its_route(exchange: Exchange, result: object) -> None:
    assert rendered(result, 201, exchange, ROUTE).headers["Location"] == "/v1/demo/notes/7"


def test_ids_are_quoted_and_the_services_own_word_counts(exchange: Exchange) -> None:
    assert rendered(record("a/b ü"), 201, exchange, ROUTE).headers["Location"] == "/v1/demo/notes/a%2Fb%20%C3%BC"
    own = Answer(content=record(), status=201, headers={"Location": "/v1/elsewhere"})
    assert rendered(own, 201, exchange, ROUTE).headers["Location"] == "/v1/elsewhere"


def test_what_was_not_made_has_no_place(exchange: Exchange) -> None:
    assert "Location" not in rendered(Answer(content=record(), status=200), 201, exchange, ROUTE).headers
    assert "Location" not in rendered(record(), 200, exchange, ROUTE).headers
    assert "Location" not in rendered(record(), 201, exchange).headers
