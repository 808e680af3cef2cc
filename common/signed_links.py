"""Links that let anybody who has them read one file of Cloud Storage for a while, and nothing else.

In the cloud they are V4 signed URLs, signed by IAM as the function's own service account, so no key exists that could
leak. On the local cloud, whose storage knows no signatures, they lead to the local cloud's own page of files, which
checks an HMAC over the object and the end of its time.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from google.auth.exceptions import GoogleAuthError

from common.clients.signing import account_signer
from common.clients.storage import storage_client
from common.context import Context
from common.errors import ConfigurationError, Unavailable
from common.objects import object_name
from common.settings import Settings

LIFETIME = timedelta(minutes=15)
LOCAL_ROUTE = "/_local/files"
LOCAL_KEY = "links of the local cloud"


@dataclass(frozen=True, kw_only=True, slots=True)
class SignedLink:
    """A link and the end of its time.

    Attributes:
        url: Whoever has it may read the file.
        expires_at: When it stops working.
    """

    url: str
    expires_at: datetime


def signed_link(context: Context, bucket: str, path: str, lifetime: timedelta = LIFETIME) -> SignedLink:
    """Return a link to a file of the tenant.

    Args:
        context: Whose file.
        bucket: The bucket.
        path: Path below the tenant.
        lifetime: How long the link works, seven days at most.

    Raises:
        Unavailable: IAM does not sign.
        ConfigurationError: The local cloud names no address of functions.
    """
    name = object_name(context, path)
    expires = int(time.time()) + int(lifetime.total_seconds())
    expires_at = datetime.fromtimestamp(expires, UTC)
    settings = context.clients.settings
    if settings.is_local:
        return SignedLink(url=_local(settings, bucket, name, expires), expires_at=expires_at)
    blob = context.clients.get(storage_client).bucket(bucket).blob(name)
    context.deadline.timeout(1, "iam")
    try:
        url = blob.generate_signed_url(
            version="v4", expiration=lifetime, method="GET", credentials=context.clients.get(account_signer)
        )
    except GoogleAuthError as error:
        raise Unavailable("iam", f"IAM does not sign the link ({type(error).__name__})") from error
    return SignedLink(url=str(url), expires_at=expires_at)


def opens(settings: Settings, bucket: str, name: str, expires: str, signature: str) -> bool:
    """Tell whether a link of the local cloud may be followed: signed by us, for this object, and not over.

    Args:
        settings: Of the local cloud; no other environment has such links.
        bucket: The bucket asked for.
        name: The object asked for.
        expires: End of its time in seconds since the epoch, as the link says.
        signature: As the link says.
    """
    if not settings.is_local or not (expires.isascii() and expires.isdigit()) or not signature.isascii():
        return False
    return hmac.compare_digest(signature, _signature(settings, bucket, name, expires)) and int(expires) > time.time()


def _local(settings: Settings, bucket: str, name: str, expires: int) -> str:
    base, found, _ = settings.function_url.partition("/{function}")
    if not found:
        raise ConfigurationError("XYNERGY_FUNCTION_URL is needed to make links on the local cloud")
    signature = _signature(settings, bucket, name, str(expires))
    return f"{base}{LOCAL_ROUTE}/{bucket}/{name}?expires={expires}&signature={signature}"


def _signature(settings: Settings, bucket: str, name: str, expires: str) -> str:
    message = f"link\n{bucket}\n{name}\n{expires}"
    return hmac.new((settings.cursor_key or LOCAL_KEY).encode(), message.encode(), hashlib.sha256).hexdigest()
