"""What a handler returned, as an HTTP answer (the table in ``common.answers``)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from pydantic import BaseModel

from common.answers import Answer, Cached, Download, Page, Record, RowResults
from common.dispositions import attachment
from common.render import render
from triggers.exchange import Exchange, HttpAnswer
from triggers.paths import PARAMETER


def rendered(result: Any, status: int, exchange: Exchange, location: str | None = None) -> HttpAnswer:
    """Return the answer.

    Args:
        result: What the handler returned.
        status: The operation's declared status.
        exchange: The request; links are built on its address.
        location: Route of what was made, for answers 201 that do not say it themselves.
    """
    answer = _answered(result, status, exchange)
    if location is not None and answer.status == HTTPStatus.CREATED:
        answer.headers.setdefault("Location", _placed(location, result))
    return answer


def _answered(result: Any, status: int, exchange: Exchange) -> HttpAnswer:
    if isinstance(result, Answer):
        answer = _content(result.content, result.status, exchange)
        answer.headers.update(result.headers)
        answer.secret = result.secret
        if result.content is None:
            answer.status = result.status
        return answer
    return _content(result, status, exchange)


def _content(result: Any, status: int, exchange: Exchange) -> HttpAnswer:
    if isinstance(result, Cached):
        headers = {"X-Cache": result.state, "Age": str(result.age), **_links(exchange, result.next_cursor)}
        return HttpAnswer(status, result.body, headers=headers, cache=result.state)
    if isinstance(result, Record):
        return HttpAnswer(status, render(result.value), headers={"ETag": result.etag})
    if isinstance(result, Page):
        return HttpAnswer(status, render(result), headers=_links(exchange, result.next_cursor))
    if isinstance(result, RowResults):
        return HttpAnswer(207, render(result))
    if isinstance(result, BaseModel):
        return HttpAnswer(status, render(result))
    if result is None:
        return HttpAnswer(204, content_type="")
    if isinstance(result, Download):
        headers = {} if result.filename is None else {"Content-Disposition": attachment(result.filename)}
        return HttpAnswer(status, result.chunks, result.content_type, headers)
    raise TypeError(f"a handler may not return {type(result).__name__}; see common.answers")


def _placed(location: str, result: Any) -> str:
    """Return a route with its parameters taken from what was made."""
    made = result.content if isinstance(result, Answer) else result
    value = made.value if isinstance(made, Record) else made
    return PARAMETER.sub(lambda found: quote(str(getattr(value, found[1])), safe=""), location)


def _links(exchange: Exchange, cursor: str | None) -> dict[str, str]:
    return {} if cursor is None else {"Link": next_link(exchange, cursor)}


def next_link(exchange: Exchange, cursor: str) -> str:
    """Return the ``Link`` to the next page: the address asked for, with the cursor replaced (RFC 8288)."""
    asked = parse_qsl(exchange.environ.get("QUERY_STRING", ""), keep_blank_values=True)
    query = [(name, value) for name, value in asked if name != "cursor"]
    return f'<{exchange.public_path}?{urlencode([*query, ("cursor", cursor)])}>; rel="next"'
