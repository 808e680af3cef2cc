"""The port behind which every provider of result pages stands: how it is asked, how it answers, how it fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from common.aso.tracking.deployment import Name
from common.aso.tracking.serp import SerpPage, SerpQuery

Failure = Literal["transient", "quota", "credential", "rejected"]
"""``transient``: trying again may help. ``quota``: nothing left with this provider. ``credential``: the key is missing
or wrong, or the account may not. ``rejected``: this search cannot be answered by this provider."""


class ProviderError(Exception):
    """A provider gave no result page.

    Attributes:
        provider: Which.
        kind: What follows from it.
        code: Short stable reason, such as ``http_503``; never what the provider said, which may hold the key.
        billed: Whether the call may have to be paid for all the same.
    """

    def __init__(self, provider: str, kind: Failure, code: str, *, billed: bool = False) -> None:
        super().__init__(f"{provider}: {code} ({kind})")
        self.provider = provider
        self.kind = kind
        self.code = code
        self.billed = billed


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A call to make.

    Attributes:
        url: Address with its query; may hold the key.
        headers: Header fields; may hold the key.
        content: Body to send; None asks with GET.
    """

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    content: bytes | None = None


class Adapter(Protocol):
    """One provider.

    Attributes:
        name: Its name.
        at_once: Whether one call brings all the pages; they are paid for all the same.
    """

    name: Name
    at_once: bool

    def supports(self, query: SerpQuery) -> bool:
        """Tell whether the provider can look at what is asked for."""
        ...

    def request(self, base: str, key: str, query: SerpQuery, start: int) -> Request:
        """Return the call for the results after the first ``start``.

        Raises:
            ProviderError: ``credential``: the key is not of the provider's form.
        """
        ...

    def page(self, status: int, answer: Any) -> SerpPage:
        """Read an answer.

        Args:
            status: HTTP status.
            answer: The JSON value; None where the body is none.

        Raises:
            ProviderError: It is no result page. An answer without results is one only where the provider says that
                there are none: a shape that changed must not look like a lost rank.
        """
        ...


def of_status(provider: str, status: int) -> ProviderError | None:
    """Return the failure that an HTTP status means by itself; None for success."""
    if 200 <= status < 300:
        return None
    if status in {402, 429}:
        return ProviderError(provider, "quota", f"http_{status}")
    if status in {401, 403, 407}:
        return ProviderError(provider, "credential", f"http_{status}")
    if status in {408, 425} or status >= 500:
        return ProviderError(provider, "transient", f"http_{status}")
    return ProviderError(provider, "rejected", f"http_{status}")


def no_page(provider: str) -> ProviderError:
    """Return the failure of an answer that succeeded and cannot be read."""
    return ProviderError(provider, "transient", "unexpected_shape", billed=True)


def rows_of(answer: Any, name: str) -> list[Mapping[str, Any]]:
    """Return the maps of a list in an answer; none where it is missing or something else."""
    found = answer.get(name) if isinstance(answer, Mapping) else None
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []
