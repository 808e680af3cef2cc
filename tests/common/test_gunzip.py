"""Unpacking gzip: everything within the limit, nothing beyond it."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.gunzip import BadGzip, Gunzip, TooLarge, gunzip


@given(st.lists(st.binary(max_size=3000), min_size=1, max_size=4), st.integers(1, 700))
def test_what_was_packed_comes_out(members: list[bytes], step: int) -> None:
    packed, plain = b"".join(gzip.compress(member) for member in members), b"".join(members)
    assert gunzip(packed, len(plain)) == plain
    stream = Gunzip(len(plain))
    pieces = [stream.feed(packed[start : start + step]) for start in range(0, len(packed), step)]
    stream.finish()
    assert b"".join(pieces) == plain
    assert gunzip(packed + b"\0\0padding", len(plain)) == plain
    if plain:
        with pytest.raises(TooLarge):
            gunzip(packed, len(plain) - 1)


@given(st.binary(min_size=1, max_size=300), st.data())
def test_damage_is_noticed(plain: bytes, data: st.DataObject) -> None:
    packed = gzip.compress(plain)
    cut = data.draw(st.integers(1, len(packed) - 1))
    with pytest.raises(BadGzip):
        gunzip(packed[:cut], 10_000)
    with pytest.raises(BadGzip):
        gunzip(b"plain" + packed, 10_000)


def test_nothing_is_nothing() -> None:
    assert gunzip(b"", 0) == b""
