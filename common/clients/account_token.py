"""Access tokens of the account this process runs as, for calls of Google's REST interfaces."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from common.errors import Unavailable


class AccountToken:
    """The bearer token of the process's own account, kept until shortly before it expires; thread-safe.

    Args:
        scope: OAuth scope of the token.
        dependency: What is called with it, named in the error.
    """

    def __init__(self, scope: str, dependency: str) -> None:
        self._scope, self._dependency = scope, dependency
        self._credentials: Any = None
        self._lock = threading.Lock()

    def headers(self) -> Mapping[str, str]:
        """Return the header field that a call carries.

        Raises:
            Unavailable: No token can be had at the moment.
        """
        # ``google.auth`` is imported by the first call, so that whoever never calls never pays for it.
        import google.auth
        from google.auth.exceptions import GoogleAuthError
        from google.auth.transport.requests import Request

        with self._lock:
            try:
                if self._credentials is None:
                    self._credentials, _ = google.auth.default(scopes=[self._scope])
                if not self._credentials.valid:
                    self._credentials.refresh(Request())
            except GoogleAuthError as error:
                raise Unavailable(self._dependency, f"no access token is to be had ({type(error).__name__})") from error
            return {"authorization": f"Bearer {self._credentials.token}"}
