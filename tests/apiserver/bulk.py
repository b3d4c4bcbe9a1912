"""Very many Routes at once, for measurements: made from a template, without checks and without events."""

from __future__ import annotations

from typing import Iterator

from .answers import encode
from .objects import new_uid, timestamp
from .routers import Claim, Router
from .store import ROUTE


def routes(count: int, first: int, namespaces: int, domain: str, weight: int | None,
           router: Router) -> Iterator[tuple[str, bytes]]:
    """(key, body) of Routes rN in the namespaces bulk-N, for the hosts rN.DOMAIN, admitted by `router`."""
    annotations = {"pointsman.io/weight": str(weight)} if weight is not None else {}
    now = timestamp()
    template = encode({
        "apiVersion": ROUTE.api, "kind": ROUTE.name,
        "metadata": {"name": "r%(n)d", "namespace": "bulk-%(ns)d", "uid": "%(uid)s", "resourceVersion": "1",
                     "creationTimestamp": now, "annotations": annotations, "generation": 1},
        "spec": {"host": "r%(n)d.%(domain)s", "to": {"kind": "Service", "name": "bulk", "weight": 100},
                 "tls": {"termination": "edge", "insecureEdgeTerminationPolicy": "Allow"}, "wildcardPolicy": "None"},
        "status": {"ingress": [{
            "conditions": [{"lastTransitionTime": now, "status": "True", "type": "Admitted"}],
            "host": "r%(n)d.%(domain)s", "routerCanonicalHostname": f"router-{router.name}.{router.domain}",
            "routerName": router.name, "wildcardPolicy": "None"}]}}).decode()
    for number in range(first, first + count):
        namespace, uid, host = f"bulk-{number % namespaces}", new_uid(), f"r{number}.{domain}"
        key = f"{namespace}/r{number}"
        router.add(key, host, Claim(now, uid, key, namespace, "", "edge"))
        yield key, (template % {"n": number, "ns": number % namespaces, "uid": uid, "domain": domain}).encode()
