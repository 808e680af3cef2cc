"""E-mail addresses in one form, so that two spellings of one mailbox are found to be the same.

Providers do not tell ``Ann@Example.com`` from ``ann@example.com``, although RFC 5321 would let them; Firebase ignores
the case as well. So the local part is composed (NFC) and put into small letters, and the domain becomes ASCII as in
browsers (UTS 46). Nothing more: full case folding would make ``straße`` and ``strasse`` one, which are two mailboxes,
and dots and ``+tags`` mean what each provider wants.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated

import idna
from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

LONGEST, LONGEST_LOCAL_PART, LONGEST_DOMAIN = 254, 64, 253
"""RFC 5321, 4.5.3.1, in octets; the first with RFC 3696's erratum 1690."""

_ATOMS = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*")
"""A dot-atom of RFC 5322; letters of any script as in RFC 6531. Quoted local parts are refused: nobody has them."""

_LABELS = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*\.(xn--[a-z0-9-]+|[a-z]{2,})")


def normalised_email(text: str) -> str:
    """Return the one form of an address.

    Raises:
        ValueError: It is no address of a mailbox; says why.
    """
    local, at, domain = text.strip().rpartition("@")
    if not at or not local or not domain:
        raise ValueError("an e-mail address has a name, an @ and a domain")
    local = unicodedata.normalize("NFC", unicodedata.normalize("NFC", local).lower())
    if not _ATOMS.fullmatch(local):
        raise ValueError("the part before the @ has characters that no mailbox has")
    try:
        host = idna.encode(domain, uts46=True, transitional=False).decode("ascii").lower().rstrip(".")
    except idna.IDNAError:
        raise ValueError("the part after the @ is no domain") from None
    if not _LABELS.fullmatch(host) or len(host) > LONGEST_DOMAIN:
        raise ValueError("the part after the @ is no public domain")
    if len(local.encode()) > LONGEST_LOCAL_PART or len(local.encode()) + 1 + len(host) > LONGEST:
        raise ValueError("the e-mail address is too long")
    return f"{local}@{host}"


def _checked(text: str) -> str:
    try:
        return normalised_email(text)
    except ValueError as error:
        raise PydanticCustomError("email_invalid", "{reason}", {"reason": str(error)}) from None


EmailAddress = Annotated[
    str,
    StringConstraints(min_length=3, max_length=320),
    AfterValidator(_checked),
    Field(description="An e-mail address; kept in lower case, its domain in ASCII.", examples=["ann@example.com"]),
]
"""A field that takes any spelling of an address and holds its one form."""
