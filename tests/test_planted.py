"""The net under all tests catches what it is meant to catch: in plain, encoded, packed, and across blocks."""

from __future__ import annotations

import base64
import gzip
import io
import secrets
import zipfile
from pathlib import Path

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from tests.planted import BLOCK, RECORD_BLOCK, RECORD_HEADER, Needles, Planted, exported_documents, unpacked

KEY = "xyn_" + "k" * 43
OTHER = "another-secret-of-a-test"


def names(data: bytes, **wanted: str) -> set[str]:
    return {what for _, what in Needles({secret.encode(): what for what, secret in wanted.items()}).found_in(data)}


@given(before=st.binary(max_size=40), after=st.binary(max_size=40), packed=st.booleans(), secret=st.binary(min_size=28))
def test_a_secret_is_found_wherever_it_stands(*, before: bytes, after: bytes, packed: bool, secret: bytes) -> None:
    whole = before + secret + after
    data = base64.b64encode(whole) if packed else whole
    found = {what for _, what in Needles({secret: "it"}).found_in(data)}
    assert ("it in base64" if packed else "it") in found


@pytest.mark.parametrize("place", [0, 3, BLOCK - 48, BLOCK - 8, BLOCK - 7, BLOCK - 1, BLOCK])
def test_a_secret_is_found_across_blocks(place: int) -> None:
    data = bytearray(2 * BLOCK)
    data[place : place + len(KEY)] = KEY.encode()
    assert names(bytes(data), it=KEY, other=OTHER) == {"it"}


def test_nothing_is_found_where_nothing_is() -> None:
    assert names(b"", it=KEY) == set()
    assert names(KEY[:-1].encode() + b" xyn_", it=KEY) == set()
    assert names(base64.b64encode(secrets.token_bytes(100_000)), it=KEY, other=OTHER) == set()


def answer(body: str, *, sent: str = "") -> requests.Response:
    made = requests.Response()
    made._content = body.encode()
    made.headers["X-Request-ID"] = "1"
    made.request = requests.Request("POST", "http://x/v1/api-keys?a=1", headers={"X-API-Key": sent}).prepare()
    return made


def test_a_new_secret_may_be_in_the_answer_that_shows_it_and_in_no_other() -> None:
    planted = Planted()
    planted.answered(answer(f'{{"key":"{KEY}"}}'))
    assert planted.finds() == []
    planted.answered(answer(f'{{"items":["{KEY}"]}}'))
    [found] = planted.finds()
    assert "the answer to POST /v1/api-keys: shown by POST /v1/api-keys" in found
    assert KEY not in found


def test_an_answer_may_show_a_secret_and_a_link_with_it() -> None:
    planted = Planted()
    planted.answered(answer(f'{{"key":"{KEY}","link":"https://x/?key={KEY}"}}'))
    assert planted.finds() == []


def test_an_answer_must_not_repeat_the_credential_it_was_asked_with() -> None:
    planted = Planted()
    planted.answered(answer(f'{{"detail":"no such key: {KEY}"}}', sent=KEY))
    assert "a credential that was presented" in planted.finds()[0]


def test_what_is_left_is_searched_with_what_was_kept() -> None:
    planted = Planted()
    planted.register("short", "x")
    planted.register("it", OTHER)
    planted.keep("a log", f"before {OTHER} after")
    assert [found.partition(": it")[0] for found in planted.finds([("Redis", OTHER.encode())])] == ["a log", "Redis"]
    assert len(planted) == 1


def test_archives_are_opened() -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("sheet.xml", OTHER * 3)
    for content in (archive.getvalue(), gzip.compress(OTHER.encode())):
        assert not names(content, it=OTHER)
        assert any(names(inner, it=OTHER) for _, inner in unpacked("file", content))


def test_exported_documents_are_read_across_blocks(tmp_path: Path) -> None:
    first = b"h" * RECORD_HEADER + b"." * (RECORD_BLOCK - RECORD_HEADER - 10) + OTHER[:10].encode()
    (tmp_path / "output-0").write_bytes(first + b"h" * RECORD_HEADER + OTHER[10:].encode())
    [(_, content)] = exported_documents(tmp_path)
    assert names(content, it=OTHER) == {"it"}
