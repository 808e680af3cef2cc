"""Hubs and spokes: rules, states, addresses, lists."""

from __future__ import annotations

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from common import cache
from common.aso import content
from common.aso.content_models import ArchiveRequest, ContentCreate, ContentQuery, ContentUpdate, PublishRequest
from common.aso.models import ContentPiece
from common.aso.periods import since_midnight
from common.context import Context
from common.errors import Conflict, NotFound, PreconditionFailed, Refusal, Unprocessable
from tests.common.security import context_of


def made(context: Context, **fields: Any) -> ContentPiece:
    body = {"content_type": "hub", "keyword_primary": "scan", "title": "A title", **fields}
    return content.create(context, ContentCreate.model_validate(body)).value


def spoke(context: Context, hub: ContentPiece, **fields: Any) -> ContentPiece:
    return made(context, content_type="spoke", hub_id=hub.content_id, **fields)


def changed(context: Context, piece: ContentPiece, **fields: Any) -> ContentPiece:
    return content.update(context, piece.content_id, ContentUpdate.model_validate(fields)).value


def published(context: Context, piece: ContentPiece, url: str | None = None) -> ContentPiece:
    return content.publish(context, piece.content_id, PublishRequest(url=url)).value


def archived(context: Context, piece: ContentPiece) -> ContentPiece:
    return content.archive(context, piece.content_id, ArchiveRequest(reason="old")).value


def refusal_of(call: Any, *arguments: Any, **fields: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        call(*arguments, **fields)
    return caught.value


def test_a_piece_begins_as_a_draft_and_is_read_back(context: Context) -> None:
    body = ContentCreate(
        content_type="hub",
        keyword_primary="scan",
        title="A title",
        url="https://Example.com/scan/",
        monthly_traffic=200,
        monthly_conversions=3,
    )
    written = content.create(context, body)
    read = content.get(context, written.value.content_id)
    assert read.value == written.value
    assert read.etag == written.etag
    assert read.value.status == "draft"
    assert read.value.published_at is None
    assert read.value.conversion_rate == pytest.approx(0.015)
    assert read.value.url == "https://Example.com/scan/"


def test_another_tenants_piece_does_not_exist(context: Context) -> None:
    piece = made(context)
    other = context_of(context.clients, "somebody_else")
    assert refusal_of(content.get, other, piece.content_id).code == "content_piece_not_found"
    assert isinstance(refusal_of(changed, other, piece, title="Mine"), NotFound)
    assert refusal_of(spoke, other, piece).code == "hub_not_found"


def test_a_spoke_needs_a_hub_and_a_hub_has_none(context: Context) -> None:
    hub = made(context)
    leaf = spoke(context, hub)
    cases = {
        "hub_required": {"content_type": "spoke"},
        "hub_not_found": {"content_type": "spoke", "hub_id": "nobody"},
        "hub_not_hub": {"content_type": "spoke", "hub_id": leaf.content_id},
        "hub_has_no_hub": {"content_type": "hub", "hub_id": hub.content_id},
    }
    for code, fields in cases.items():
        refusal = refusal_of(made, context, **fields)
        assert isinstance(refusal, Unprocessable)
        assert (refusal.code, refusal.errors[0].pointer) == (code, "/hub_id")


def test_an_archived_hub_takes_no_spokes(context: Context) -> None:
    hub, other = made(context), made(context)
    leaf = spoke(context, other, url="https://example.com/leaf")
    archived(context, hub)
    assert refusal_of(spoke, context, hub).code == "hub_archived"
    assert refusal_of(changed, context, leaf, hub_id=hub.content_id).code == "hub_archived"
    archived(context, other)
    assert refusal_of(published, context, leaf).code == "hub_archived"


def test_a_spoke_moves_to_another_hub_and_never_to_none(context: Context) -> None:
    hub, other = made(context), made(context)
    leaf = spoke(context, hub)
    assert changed(context, leaf, hub_id=other.content_id).hub_id == other.content_id
    assert refusal_of(changed, context, leaf, hub_id=None).code == "hub_required"
    assert refusal_of(changed, context, hub, hub_id=other.content_id).code == "hub_has_no_hub"


def test_the_type_never_changes(context: Context) -> None:
    hub = made(context)
    refusal = refusal_of(changed, context, hub, content_type="spoke")
    assert (refusal.status, refusal.code) == (422, "immutable_type")
    assert changed(context, hub, content_type="hub", title="Other").title == "Other"


def test_an_address_is_taken_however_it_is_spelt(context: Context) -> None:
    first = made(context, url="https://example.com/a")
    refusal = refusal_of(made, context, url="HTTPS://EXAMPLE.COM:443/a/#top")
    assert isinstance(refusal, Conflict)
    assert refusal.code == "url_taken"
    second = made(context, url="https://example.com/b")
    assert refusal_of(changed, context, second, url="https://example.com/a").code == "url_taken"
    assert refusal_of(published, context, second, "https://example.com/a").code == "url_taken"
    assert made(context_of(context.clients, "neighbour"), url="https://example.com/a").url == "https://example.com/a"
    changed(context, first, url="https://example.com/c")
    assert changed(context, second, url="https://example.com/a").url_normalized == "https://example.com/a"


def test_of_many_at_once_one_gets_the_address(context: Context) -> None:
    def attempt(number: int) -> str:
        try:
            made(context, title=f"Number {number}", url="https://example.com/wanted")
        except Conflict as conflict:
            return conflict.code
        return "made"

    with ThreadPoolExecutor(6) as threads:
        outcomes = sorted(threads.map(attempt, range(6)))
    assert outcomes == ["made", *["url_taken"] * 5]


def test_an_update_changes_what_is_given_and_null_clears(context: Context) -> None:
    piece = made(context, meta_description="Words", word_count=100, keyword_secondary=["one"])
    after = changed(context, piece, title="New", word_count=None)
    assert (after.title, after.word_count, after.meta_description) == ("New", None, "Words")
    assert after.keyword_secondary == ["one"]
    assert after.updated_at is not None
    assert piece.updated_at is not None
    assert after.updated_at > piece.updated_at


def test_the_conversion_rate_follows_and_never_divides_by_zero(context: Context) -> None:
    piece = made(context, monthly_traffic=0, monthly_conversions=0)
    assert piece.conversion_rate is None
    assert changed(context, piece, monthly_traffic=50, monthly_conversions=1).conversion_rate == pytest.approx(0.02)
    assert changed(context, piece, monthly_traffic=None).conversion_rate is None


def test_an_update_that_changes_nothing_keeps_the_version(context: Context) -> None:
    written = content.create(context, ContentCreate(content_type="hub", keyword_primary="scan", title="Same"))
    again = content.update(context, written.value.content_id, ContentUpdate(title="Same", content_type="hub"))
    assert again == written


def test_a_stale_version_is_refused(context: Context) -> None:
    written = content.create(context, ContentCreate(content_type="hub", keyword_primary="scan", title="One"))
    piece = written.value
    changed(context, piece, title="Two")
    stale = dataclasses.replace(context, if_match=written.etag)
    for call in (
        lambda: changed(stale, piece, title="Three"),
        lambda: published(stale, piece, "https://example.com/x"),
        lambda: archived(stale, piece),
    ):
        refusal = refusal_of(call)
        assert isinstance(refusal, PreconditionFailed)
        assert refusal.code == "stale_etag"
    current = dataclasses.replace(context, if_match=content.get(context, piece.content_id).etag)
    assert changed(current, piece, title="Three").title == "Three"


def test_publishing_needs_an_address(context: Context) -> None:
    piece = made(context)
    refusal = refusal_of(published, context, piece)
    assert (refusal.status, refusal.code, refusal.errors[0].pointer) == (422, "url_required", "/url")
    done = published(context, piece, "https://example.com/now")
    assert (done.status, done.url) == ("published", "https://example.com/now")
    assert done.published_at is not None
    assert refusal_of(changed, context, piece, url=None).code == "url_required"


def test_the_first_publication_is_kept(context: Context) -> None:
    piece = made(context, url="https://example.com/first")
    first = published(context, piece)
    archived(context, piece)
    assert changed(context, piece, status="draft").archived_reason is None
    assert published(context, piece).published_at == first.published_at


@pytest.mark.parametrize(
    ("steps", "then", "allowed"),
    [
        (["published"], "published", ["archived"]),
        (["archived"], "published", ["draft"]),
        (["archived"], "archived", ["draft"]),
        (["published", "archived"], "published", ["draft"]),
    ],
)
def test_other_transitions_are_refused(context: Context, steps: list[str], then: str, allowed: list[str]) -> None:
    moves = {"published": published, "archived": archived}
    piece = made(context, url="https://example.com/state")
    for step in steps:
        piece = moves[step](context, piece)
    refusal = refusal_of(moves[then], context, piece)
    assert (refusal.status, refusal.code) == (409, "invalid_transition")
    assert refusal.details == {"from": steps[-1], "to": then, "allowed": allowed}
    assert content.get(context, piece.content_id).value.status == steps[-1]


@pytest.mark.parametrize("status", ["published", "archived"])
def test_an_update_cannot_publish_or_archive(context: Context, status: str) -> None:
    piece = made(context, url="https://example.com/sly")
    refusal = refusal_of(changed, context, piece, status=status)
    assert refusal.code == "invalid_transition"
    assert changed(context, piece, status="draft", title="Fine").title == "Fine"


def listed(context: Context, **query: Any) -> tuple[list[str], str, str | None]:
    answer = content.listed(context, ContentQuery.model_validate(query))
    body = json.loads(answer.body)
    return [item["title"] for item in body["items"]], answer.state, body["next_cursor"]


def test_lists_filter_and_page_newest_first(context: Context) -> None:
    hub = made(context, title="hub")
    for number in range(4):
        spoke(context, hub, title=f"spoke {number}")
    published(context, made(context, title="other hub"), "https://example.com/other")
    assert listed(context)[0] == ["other hub", "spoke 3", "spoke 2", "spoke 1", "spoke 0", "hub"]
    assert listed(context, status="published")[0] == ["other hub"]
    assert listed(context, content_type="hub", status="draft", days=1)[0] == ["hub"]
    assert listed(context, hub_id=hub.content_id, limit=10)[0] == ["spoke 3", "spoke 2", "spoke 1", "spoke 0"]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        titles, _, cursor = listed(context, content_type="spoke", limit=3, cursor=cursor, days=7)
        seen += titles
        if cursor is None:
            break
    assert seen == ["spoke 3", "spoke 2", "spoke 1", "spoke 0"]


def test_lists_are_cached_until_they_are_invalidated(context: Context) -> None:
    made(context, title="first")
    assert listed(context)[:2] == (["first"], "MISS")
    assert listed(context)[:2] == (["first"], "HIT")
    made(context, title="second")
    cache.invalidate(context.clients, context.tenant_id, ["aso_content"])
    assert listed(context)[:2] == (["second", "first"], "MISS")


def test_days_are_counted_from_midnight() -> None:
    since = since_midnight(2)
    assert since is not None
    assert (since.hour, since.minute, since.second, since.microsecond) == (0, 0, 0, 0)
    assert (datetime.now(UTC).date() - since.date()).days == 2
    assert since_midnight(None) is None
