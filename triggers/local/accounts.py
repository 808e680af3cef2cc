"""The identity provider of the local cloud: accounts, sign-in and ID tokens in Firebase Auth's wire format.

Google's own emulator is a Node.js program of 300 MB; this is the part of it that the platform and its applications use,
and any Firebase SDK that is told of an Auth emulator speaks to it: signing up and in with a password, refreshing,
looking up, changing and deleting accounts. As there, ID tokens are unsigned and ``Bearer owner`` is the project's
owner. Unlike there, ending an account's sessions also ends its refresh tokens, as in the cloud.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common.tokens import unsigned_token

Body = dict[str, Any]
LIFETIME = 3600
"""Seconds an ID token lives."""
SHORTEST_PASSWORD = 6
MAX_CLAIMS = 1000
RESERVED_CLAIMS = frozenset(
    {"acr", "amr", "at_hash", "aud", "auth_time", "azp", "cnf", "c_hash", "exp", "firebase", "iat", "iss", "jti"}
    | {"nbf", "nonce", "sub", "user_id"}
)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_COPIED = {"displayName": "displayName", "photoUrl": "photoUrl"}
_PRIVILEGED = {**_COPIED, "emailVerified": "emailVerified", "customAttributes": "customAttributes"}
_PRIVILEGED |= {"validSince": "validSince", "disableUser": "disabled", "lastLoginAt": "lastLoginAt"}
_REMOVABLE = {"DISPLAY_NAME": "displayName", "PHOTO_URL": "photoUrl", "EMAIL": "email"}


class Rejected(Exception):
    """A call that is answered with the word of the interface and a status, mostly 400."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


class Accounts:
    """The accounts of one project; thread-safe.

    Args:
        project: Google Cloud project id.
        keep: File that holds the accounts between runs; None forgets them.
        clock: Seconds since the epoch.
    """

    def __init__(self, project: str, keep: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        self.project = project
        self._keep, self._clock = keep, clock
        self._lock = threading.RLock()
        self._accounts: dict[str, Body] = {}
        self._sessions: dict[str, Body] = {}
        if keep is not None and keep.exists():
            stored = json.loads(keep.read_text(encoding="utf-8"))
            self._accounts, self._sessions = stored["accounts"], stored["sessions"]

    def call(self, method: str, body: Body, *, is_owner: bool) -> Body:
        """Answer a call of the interface.

        Args:
            method: Such as ``accounts:lookup``.
            body: Body of the request.
            is_owner: Whether the project's owner calls.

        Raises:
            Rejected: The call is not one, or cannot be done.
        """
        methods: dict[str, Callable[[Body, bool], Body]] = {
            "accounts": self._sign_up,
            "accounts:signUp": self._sign_up,
            "accounts:signInWithPassword": self._sign_in,
            "accounts:lookup": self._lookup,
            "accounts:update": self._update,
            "accounts:delete": self._delete,
            "token": self._refresh,
        }
        if method not in methods:
            raise Rejected("UNIMPLEMENTED", 501)
        with self._lock:
            answer = methods[method](body, is_owner)
            self._save()
        return answer

    def clear(self) -> None:
        """Forget every account."""
        with self._lock:
            self._accounts.clear()
            self._sessions.clear()
            self._save()

    def _sign_up(self, body: Body, is_owner: bool) -> Body:
        if not is_owner:
            for field in ("email", "password"):
                _require(body.get(field), f"MISSING_{field.upper()}")
            _require(not body.get("localId"), "UNEXPECTED_PARAMETER : User ID")
        account: Body = {"localId": body.get("localId") or secrets.token_urlsafe(21), "emailVerified": False}
        _require(account["localId"] not in self._accounts, "DUPLICATE_LOCAL_ID")
        if body.get("email"):
            account["email"] = self._free_email(body["email"])
        account |= {field: body[field] for field in _COPIED if body.get(field)}
        if is_owner:
            account |= {"emailVerified": bool(body.get("emailVerified")), "disabled": bool(body.get("disabled"))}
        if body.get("password"):
            account |= self._password(body["password"])
        now = self._milliseconds()
        account |= {"createdAt": now, "lastLoginAt": now}
        self._accounts[account["localId"]] = account
        answer = {
            "kind": "identitytoolkit#SignupNewUserResponse",
            **_picked(account, "localId", "displayName", "email"),
        }
        return answer if is_owner else {**answer, **self._issue(account, int(self._clock()))}

    def _sign_in(self, body: Body, _is_owner: bool) -> Body:
        for field in ("email", "password"):
            _require(body.get(field), f"MISSING_{field.upper()}")
        account = self._by_email(body["email"])
        _require(account is not None, "EMAIL_NOT_FOUND")
        assert account is not None
        _require(_matches(account, body["password"]), "INVALID_PASSWORD")
        _require(not account.get("disabled"), "USER_DISABLED")
        account["lastLoginAt"] = self._milliseconds()
        answer = {"kind": "identitytoolkit#VerifyPasswordResponse", "registered": True}
        answer |= _picked(account, "localId", "displayName", "email")
        return {**answer, **self._issue(account, int(self._clock()))}

    def _lookup(self, body: Body, is_owner: bool) -> Body:
        if is_owner:
            found = [self._accounts.get(each) for each in body.get("localId") or []]
            found += [self._by_email(each) for each in body.get("email") or []]
        else:
            found = [self._of_token(body.get("idToken"))]
        distinct = {account["localId"]: _shown(account) for account in found if account is not None}
        answer: Body = {"kind": "identitytoolkit#GetAccountInfoResponse"}
        return {**answer, "users": list(distinct.values())} if distinct else answer

    def _update(self, body: Body, is_owner: bool) -> Body:
        if is_owner:
            _require(body.get("localId"), "MISSING_LOCAL_ID")
            account = self._known(body["localId"])
        else:
            _require(body.get("idToken"), "INVALID_REQ_TYPE : Unsupported request parameters.")
            _require(body.get("customAttributes") is None, "INSUFFICIENT_PERMISSION")
            account = self._of_token(body["idToken"])
        changes: Body = {}
        if body.get("email") and body["email"].lower() != account.get("email"):
            changes |= {"email": self._free_email(body["email"]), "emailVerified": False}
        if body.get("customAttributes"):
            _check_claims(body["customAttributes"])
        if body.get("password"):
            changes |= self._password(body["password"])
        for name, field in (_PRIVILEGED if is_owner else _COPIED).items():
            if body.get(name) is not None:
                changes[field] = body[name]
        account |= changes
        for name in body.get("deleteAttribute") or []:
            account.pop(_REMOVABLE.get(name, ""), None)
        answer = {"kind": "identitytoolkit#SetAccountInfoResponse"}
        return {**answer, **_picked(account, "localId", "displayName", "email", "emailVerified", "photoUrl")}

    def _delete(self, body: Body, is_owner: bool) -> Body:
        if is_owner:
            _require(body.get("localId"), "MISSING_LOCAL_ID")
            account = self._known(body["localId"])
        else:
            account = self._of_token(body.get("idToken"))
        del self._accounts[account["localId"]]
        self._sessions = {
            token: session for token, session in self._sessions.items() if session["localId"] != account["localId"]
        }
        return {"kind": "identitytoolkit#DeleteAccountResponse"}

    def _refresh(self, body: Body, _is_owner: bool) -> Body:
        given = {name: body.get(name) or body.get(_camel(name)) for name in ("grant_type", "refresh_token")}
        _require(given["grant_type"], "MISSING_GRANT_TYPE")
        _require(given["grant_type"] == "refresh_token", "INVALID_GRANT_TYPE")
        _require(given["refresh_token"], "MISSING_REFRESH_TOKEN")
        session = self._sessions.get(str(given["refresh_token"]))
        _require(session is not None, "INVALID_REFRESH_TOKEN")
        assert session is not None
        account = self._accounts.get(session["localId"])
        _require(account is not None, "USER_NOT_FOUND")
        assert account is not None
        _require(not account.get("disabled"), "USER_DISABLED")
        _require(session["signedInAt"] >= int(account.get("validSince") or 0), "TOKEN_EXPIRED")
        issued = self._issue(account, session["signedInAt"])
        return {
            "id_token": issued["idToken"],
            "access_token": issued["idToken"],
            "expires_in": issued["expiresIn"],
            "refresh_token": issued["refreshToken"],
            "token_type": "Bearer",
            "user_id": account["localId"],
            "project_id": self.project,
        }

    def _issue(self, account: Body, signed_in_at: int) -> Body:
        token = secrets.token_urlsafe(48)
        self._sessions[token] = {"localId": account["localId"], "signedInAt": signed_in_at}
        now = int(self._clock())
        identities = {"email": [account["email"]]} if account.get("email") else {}
        claims = {
            "name": account.get("displayName"),
            "picture": account.get("photoUrl"),
            **json.loads(account.get("customAttributes") or "{}"),
            "email": account.get("email"),
            "email_verified": account.get("emailVerified", False),
            "auth_time": signed_in_at,
            "user_id": account["localId"],
            "firebase": {"identities": identities, "sign_in_provider": "password"},
            "iat": now,
            "exp": now + LIFETIME,
            "aud": self.project,
            "iss": f"https://securetoken.google.com/{self.project}",
            "sub": account["localId"],
        }
        shown = {name: value for name, value in claims.items() if value is not None}
        return {"idToken": unsigned_token(shown), "refreshToken": token, "expiresIn": str(LIFETIME)}

    def _of_token(self, token: object) -> Body:
        _require(token, "MISSING_ID_TOKEN")
        try:
            payload = str(token).split(".")[1]
            claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
            user_id, issued_at = claims["user_id"], claims["iat"]
        except (ValueError, IndexError, KeyError, TypeError):
            raise Rejected("INVALID_ID_TOKEN") from None
        account = self._known(user_id)
        _require(issued_at >= int(account.get("validSince") or 0), "TOKEN_EXPIRED")
        _require(not account.get("disabled"), "USER_DISABLED")
        return account

    def _known(self, user_id: str) -> Body:
        _require(user_id in self._accounts, "USER_NOT_FOUND")
        return self._accounts[user_id]

    def _by_email(self, email: str) -> Body | None:
        wanted = email.lower()
        return next((account for account in self._accounts.values() if account.get("email") == wanted), None)

    def _free_email(self, email: str) -> str:
        _require(_EMAIL.fullmatch(email), "INVALID_EMAIL")
        _require(self._by_email(email) is None, "EMAIL_EXISTS")
        return email.lower()

    def _password(self, password: str) -> Body:
        message = f"WEAK_PASSWORD : Password should be at least {SHORTEST_PASSWORD} characters"
        _require(len(password) >= SHORTEST_PASSWORD, message)
        salt = secrets.token_hex(16)
        return {"salt": salt, "passwordHash": _hash(password, salt), "validSince": str(int(self._clock()))}

    def _milliseconds(self) -> str:
        return str(int(self._clock() * 1000))

    def _save(self) -> None:
        if self._keep is not None:
            stored = json.dumps({"accounts": self._accounts, "sessions": self._sessions})
            self._keep.write_text(stored, encoding="utf-8")


def _require(condition: object, message: str) -> None:
    if not condition:
        raise Rejected(message)


def _check_claims(text: str) -> None:
    try:
        claims = json.loads(text)
    except ValueError:
        raise Rejected("INVALID_CLAIMS") from None
    _require(isinstance(claims, dict), "INVALID_CLAIMS")
    _require(len(text) <= MAX_CLAIMS, "CLAIMS_TOO_LARGE")
    reserved = RESERVED_CLAIMS & claims.keys()
    _require(not reserved, f"FORBIDDEN_CLAIM : {', '.join(sorted(reserved))}")


def _hash(password: str, salt: str) -> str:
    return hashlib.scrypt(password.encode(), salt=salt.encode(), n=1024, r=8, p=1).hex()


def _matches(account: Body, password: str) -> bool:
    known = account.get("passwordHash")
    return known is not None and hmac.compare_digest(known, _hash(password, account["salt"]))


def _shown(account: Body) -> Body:
    """Return an account as a lookup shows it: without its password, and without what is empty."""
    hidden = {"passwordHash", "salt"}
    return {name: value for name, value in account.items() if name not in hidden and value not in (None, "")}


def _picked(account: Body, *names: str) -> Body:
    return {name: account[name] for name in names if account.get(name) is not None}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.title, rest))
