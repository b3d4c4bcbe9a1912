"""Who may do what: bearer tokens and the rights of their users."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from .answers import forbidden, unauthorized
from .http1 import Request
from .store import POD, Kind

READING = ("get", "list", "watch")
ROUTER_NAMESPACES = ("openshift-ingress", "default")  # where the Role of a reader holds
LEEWAY = 60.0  # a token is taken for so long after its end


@dataclass(frozen=True)
class User:
    """Who asks."""

    name: str
    role: str  # reader, developer, admin, none

    def may(self, verb: str, kind: Kind, namespace: str) -> bool:
        """RBAC. "custom-host" is the right to change the host of a Route."""
        if self.role == "admin":
            return True
        if kind is POD:
            return self.role == "reader" and verb in READING and namespace in ROUTER_NAMESPACES
        return self.role == "developer" and verb != "custom-host" or self.role == "reader" and verb in READING


ADMIN = User("system:admin", "admin")
ANONYMOUS = User("system:anonymous", "none")


def user_of(request: Request, tokens: dict[str, Any]) -> User:
    """Who asks, by the token; 401 for a bad one, while none at all is somebody without rights."""
    if request.local:
        return ADMIN
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return ANONYMOUS
    known = tokens.get(token.strip())
    if known is None or time.time() > known.get("expires", float("inf")) + LEEWAY:
        raise unauthorized()
    return User(known["user"], known.get("role", "none"))


def demand(user: User, verb: str, kind: Kind, namespace: str, name: str = "") -> None:
    """403 unless the user may."""
    if not user.may(verb, kind, namespace):
        raise forbidden(user.name, verb, kind.plural, kind.group, namespace, name)
