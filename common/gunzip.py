"""Unpacking gzip from strangers: never more than a stated number of bytes, whatever the packed ones promise."""

from __future__ import annotations

import zlib

MEMBERS = 1000
"""Members (gzip files one after another) of one stream; more are an attack on the time it takes."""

SLICE = 8192


class BadGzip(ValueError):
    """The bytes are no gzip, are cut off, or are damaged."""


class TooLarge(ValueError):
    """More bytes come out than were allowed."""


class Gunzip:
    """Unpacks a stream piece by piece.

    Args:
        limit: Bytes that may come out in all.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._out = 0
        self._members = 1
        self._packed = zlib.decompressobj(16 + zlib.MAX_WBITS)
        self._begun = False
        self._over = False

    def feed(self, data: bytes) -> bytes:
        """Return what these bytes unpack to.

        Raises:
            BadGzip: They are no gzip.
            TooLarge: More came out than allowed; nothing beyond the limit was unpacked.
        """
        found = []
        for start in range(0, len(data), SLICE):
            rest = data[start : start + SLICE]
            while rest and not self._over:
                self._begun = True
                found.append(self._step(rest))
                rest = self._packed.unconsumed_tail or self._following()
        return b"".join(found)

    def finish(self) -> None:
        """Tell that the stream is over.

        Raises:
            BadGzip: It is cut off.
        """
        if self._begun and not self._packed.eof and not self._over:
            raise BadGzip("the gzip stream is cut off")

    def _step(self, data: bytes) -> bytes:
        try:
            out = self._packed.decompress(data, self._limit - self._out + 1)
        except zlib.error as error:
            raise BadGzip(f"no gzip stream ({error})") from error
        self._out += len(out)
        if self._out > self._limit:
            raise TooLarge(f"unpacks to more than {self._limit} bytes")
        return out

    def _following(self) -> bytes:
        """Return the bytes after the end of a member, if another one follows; other bytes are padding."""
        rest = self._packed.unused_data
        if not self._packed.eof or not rest:
            return b""
        if rest[:1] != b"\x1f":
            self._over = True
            return b""
        self._members += 1
        if self._members > MEMBERS:
            raise BadGzip(f"more than {MEMBERS} gzip members")
        self._packed = zlib.decompressobj(16 + zlib.MAX_WBITS)
        return rest


def gunzip(data: bytes, limit: int) -> bytes:
    """Return unpacked bytes.

    Raises:
        BadGzip: No gzip, cut off, or damaged.
        TooLarge: More than ``limit`` bytes.
    """
    stream = Gunzip(limit)
    out = stream.feed(data)
    stream.finish()
    return out
