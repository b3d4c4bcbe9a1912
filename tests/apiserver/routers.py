"""The routers of the cluster as far as an API client sees them: they admit Routes, which shows in their status.

Of the Routes of one host the oldest (creationTimestamp, then uid) claims it; only its namespace may use the host, each
path once; a passthrough Route shares its host with no other that has TLS. When the winner goes, a loser is admitted.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import NamedTuple

from .labels import Match, selector
from .objects import timestamp
from .store import ROUTE, Kind, Store


class Claim(NamedTuple):
    """A Route that wants a host, in the order of age."""

    created: str
    uid: str
    key: str
    namespace: str
    path: str
    security: str  # termination; "": no TLS


class Verdict(NamedTuple):
    """What a router says of a Route."""

    host: str
    reason: str  # "": admitted
    message: str = ""


@dataclass
class Router:
    """One set of router pods (an IngressController): `selects` are the labels of a shard's Routes."""

    name: str
    domain: str
    wildcards: bool = True
    selects: str = ""
    hosts: dict[str, list[Claim]] = field(default_factory=dict)
    wanted: dict[str, str] = field(default_factory=dict)  # key of a Route -> the host that it wants

    def _matches(self, item: dict) -> bool:
        match: Match | None = selector(self.selects, "")
        return match is None or match(item)

    def host_of(self, item: dict) -> str:
        """The name that the Route wants here; of a wildcard with "*" in the place of the first label."""
        spec = item["spec"]
        host = spec.get("host") or (f'{spec["subdomain"]}.{self.domain}' if spec.get("subdomain") else "")
        if spec.get("wildcardPolicy") == "Subdomain":
            host = "*." + host.partition(".")[2]
        return host

    def forget(self, key: str) -> str:
        """The Route wants nothing any more; returns the host that it wanted."""
        host = self.wanted.pop(key, "")
        if host:
            claims = [claim for claim in self.hosts.pop(host) if claim.key != key]
            if claims:
                self.hosts[host] = claims
        return host

    def claim(self, key: str, item: dict) -> str:
        """Notes what the Route wants; returns the host."""
        host = self.host_of(item)
        if not host or not self._matches(item):
            return ""
        metadata, spec = item["metadata"], item["spec"]
        tls = spec.get("tls") or {}
        self.add(key, host, Claim(metadata["creationTimestamp"], metadata["uid"], key, metadata["namespace"],
                                  spec.get("path", ""), tls.get("termination", "")))
        return host

    def add(self, key: str, host: str, claim: Claim) -> None:
        """One more claim on a host."""
        self.wanted[key] = host
        claims = self.hosts.setdefault(host, [])
        claims.append(claim)
        claims.sort()

    def verdicts(self, host: str) -> dict[str, Verdict]:
        """For each Route that wants this host."""
        result: dict[str, Verdict] = {}
        active: list[Claim] = []
        for claim in self.hosts.get(host, ()):
            lost_to = next((other for other in active if _excludes(other, claim)), None)
            if host.startswith("*.") and not self.wildcards:
                result[claim.key] = Verdict(host, "RouteNotAdmitted", "wildcard routes are not allowed")
            elif lost_to:
                result[claim.key] = Verdict(host, "HostAlreadyClaimed", f"route {lost_to.key.partition('/')[2]} "
                                            f"already exposes {host} and is older")
            else:
                active.append(claim)
                result[claim.key] = Verdict(host, "")
        return result


def _excludes(older: Claim, claim: Claim) -> bool:
    if older.namespace != claim.namespace or older.path == claim.path:
        return True
    return bool(older.security and claim.security and "passthrough" in (older.security, claim.security)
                and older.security != claim.security)


def entry(router: Router, item: dict, verdict: Verdict) -> dict:
    """What a router writes into status.ingress."""
    host = verdict.host
    wildcard = item["spec"].get("wildcardPolicy", "None")
    if wildcard == "Subdomain":
        host = item["spec"].get("host", host)
    condition = {"lastTransitionTime": timestamp(), "status": "False" if verdict.reason else "True",
                 "type": "Admitted"}
    if verdict.reason:
        condition |= {"reason": verdict.reason, "message": verdict.message}
    return {"conditions": [condition], "host": host, "routerCanonicalHostname": f"router-{router.name}.{router.domain}",
            "routerName": router.name, "wildcardPolicy": wildcard}


def _same(one: dict | None, other: dict) -> bool:
    """But for the time."""
    if not one or any(one.get(key) != other[key] for key in ("host", "wildcardPolicy", "routerName")):
        return False
    def conditions(of: dict) -> list:
        return [{key: value for key, value in condition.items() if key != "lastTransitionTime"}
                for condition in of.get("conditions", [])]
    return conditions(one) == conditions(other)


class Routers:
    """All routers of the cluster. `working` false: they write nothing, until it is set again and look_at_all called."""

    def __init__(self, store: Store, routers: list[Router]) -> None:
        self.store = store
        self.routers = routers
        self.working = True

    def changed(self, kind: Kind, key: str, item: dict | None) -> None:
        """A Route was written or deleted; called for the writes of the routers, too."""
        if kind is not ROUTE:
            return
        for router in self.routers:
            hosts = {router.forget(key), router.claim(key, item) if item else ""} - {""}
            for host in hosts if self.working else ():
                self._write(router, host)

    def look_at_all(self) -> None:
        """Every Route once more, as after a restart."""
        collection = self.store.collections[ROUTE.plural]
        for router in self.routers:
            router.hosts.clear()
            router.wanted.clear()
            for key, body in list(collection.objects.items()):
                router.claim(key, json.loads(body))
            for host in list(router.hosts):
                self._write(router, host)

    def _write(self, router: Router, host: str) -> None:
        for key, verdict in router.verdicts(host).items():
            item = self.store.get(ROUTE, key)
            if item is None:
                continue
            entries = (item.get("status") or {}).get("ingress") or []
            own = next((one for one in entries if one.get("routerName") == router.name), None)
            wanted = entry(router, item, verdict)
            if not _same(own, wanted):
                item["status"] = {"ingress": [one for one in entries if one is not own] + [wanted]}
                self.store.put(ROUTE, key, item)
