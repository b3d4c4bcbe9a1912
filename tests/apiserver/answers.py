"""What the server answers: replies, and errors as Status objects in the words of a real API server."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


def encode(value: Any) -> bytes:
    """JSON as the server sends it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


@dataclass
class Reply:
    """A whole answer. `kind` is its Content-Type."""

    status: int
    body: bytes
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


class ApiError(Exception):
    """An error that the client gets as a Status object."""

    def __init__(self, code: int, reason: str, message: str, details: dict | None = None,
                 metadata: dict | None = None, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.headers = headers or {}
        self.object: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": metadata or {},
                                       "status": "Failure", "message": message}
        if reason:
            self.object["reason"] = reason
        if details:
            self.object["details"] = details
        self.object["code"] = code

    def reply(self) -> Reply:
        """As an answer of its own."""
        return Reply(self.code, encode(self.object), headers=self.headers)

    def event(self) -> bytes:
        """As the last line of a watch."""
        return encode({"type": "ERROR", "object": self.object}) + b"\n"


def text(status: int, line: str, headers: dict[str, str] | None = None) -> Reply:
    """Some errors are no Status objects."""
    return Reply(status, line.encode(), "text/plain; charset=utf-8", headers or {})


def page_not_found() -> Reply:
    """A path, or a whole API group, that does not exist."""
    return text(404, "404 page not found\n")


def bad_request(message: str) -> ApiError:
    """400"""
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    """401: a token that is not known, or not any more"""
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(user: str, verb: str, plural: str, group: str, namespace: str, name: str = "") -> ApiError:
    """403: RBAC says no"""
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    subject = f'{plural}{"." + group if group else ""}' + (f' "{name}"' if name else "")
    details = {key: value for key, value in (("name", name), ("group", group), ("kind", plural)) if value}
    return ApiError(403, "Forbidden", f'{subject} is forbidden: User "{user}" cannot {verb} resource "{plural}" in API '
                    f'group "{group}" {where}', details)


def not_found(plural: str, group: str, name: str) -> ApiError:
    """404 of an object"""
    return ApiError(404, "NotFound", f'{plural}{"." + group if group else ""} "{name}" not found',
                    {key: value for key, value in (("name", name), ("group", group), ("kind", plural)) if value})


def conflict(plural: str, group: str, name: str, exists: bool) -> ApiError:
    """409: the name is taken, or the object is newer than the writer's copy"""
    full = f'{plural}{"." + group if group else ""} "{name}"'
    details = {key: value for key, value in (("name", name), ("group", group), ("kind", plural)) if value}
    if exists:
        return ApiError(409, "AlreadyExists", f"{full} already exists", details)
    return ApiError(409, "Conflict", f"Operation cannot be fulfilled on {full}: the object has been modified; please "
                    "apply your changes to the latest version and try again", details)


def invalid(kind: str, group: str, name: str, causes: list[tuple[str, str]]) -> ApiError:
    """422: what was written is no such object; a cause is (field, message)"""
    what = f'{kind}{"." + group if group else ""} "{name}" is invalid: '
    lines = [f"{where}: {message}" for where, message in causes]
    details = {"name": name, "group": group, "kind": kind,
               "causes": [{"reason": "FieldValueInvalid", "message": message, "field": where}
                          for where, message in causes]}
    return ApiError(422, "Invalid", what + (lines[0] if len(lines) == 1 else "[" + ", ".join(lines) + "]"), details)


def too_large_version(wanted: int, current: int) -> ApiError:
    """504: a list "not older than" a version that does not exist yet"""
    return ApiError(504, "Timeout", f"Timeout: Too large resource version: {wanted}, current: {current}",
                    {"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
                     "retryAfterSeconds": 1}, headers={"Retry-After": "1"})


def expired_version(wanted: int, oldest: int) -> ApiError:
    """410: a watch from a version that the history does not reach back to"""
    return ApiError(410, "Expired", f"too old resource version: {wanted} ({oldest})")


def expired_continue(token: str) -> ApiError:
    """410: a continue token whose list is gone; with a token for the rest as it is now"""
    return ApiError(410, "Expired", "The provided continue parameter is too old to display a consistent list result. "
                    "You can start a new list without the continue parameter, or use the continue token in this "
                    "response to retrieve the remainder of the results. Continuing with the provided token results in "
                    "an inconsistent list - objects that were created, modified, or deleted between the time the first "
                    "chunk was returned and now may show up in the list.", metadata={"continue": token})


def bad_version(text_: str) -> ApiError:
    """500 on a resourceVersion that is no number, as 1.26 answers"""
    return ApiError(500, "InternalError", f'Internal error occurred: resourceVersion: Invalid value: "{text_}": '
                    f'strconv.ParseUint: parsing "{text_}": invalid syntax',
                    {"causes": [{"message": f'resourceVersion: Invalid value: "{text_}"'}]})
