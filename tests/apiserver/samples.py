"""Routes and router Pods as `oc create` would send them."""

from __future__ import annotations

from typing import Any

ROUTER_LABEL = "ingresscontroller.operator.openshift.io/deployment-ingresscontroller"
WEIGHT = "pointsman.io/weight"


def route(name: str, host: str = "", namespace: str = "shop", weight: Any = None, termination: str = "edge",
          insecure: str = "Allow", path: str = "", subdomain: str = "", labels: dict[str, str] | None = None,
          annotations: dict[str, str] | None = None, created: str = "") -> dict:
    """A Route. A `host` that begins with "*." makes a wildcard; without `termination` there is no TLS."""
    spec: dict[str, Any] = {"to": {"kind": "Service", "name": name, "weight": 100}}
    if host.startswith("*."):
        spec |= {"host": "any" + host[1:], "wildcardPolicy": "Subdomain"}
    elif host:
        spec["host"] = host
    if subdomain:
        spec["subdomain"] = subdomain
    if path:
        spec["path"] = path
    if termination:
        spec["tls"] = {"termination": termination}
        if insecure and termination != "passthrough":
            spec["tls"]["insecureEdgeTerminationPolicy"] = insecure
    notes = dict(annotations or {})
    if weight is not None:
        notes[WEIGHT] = str(weight)
    metadata: dict[str, Any] = {"name": name, "namespace": namespace}
    for key, value in (("labels", labels), ("annotations", notes), ("creationTimestamp", created)):
        if value:
            metadata[key] = value
    return {"apiVersion": "route.openshift.io/v1", "kind": "Route", "metadata": metadata, "spec": spec}


def pod(name: str, address: str, namespace: str = "openshift-ingress", ready: bool = True, proxy: bool = False,
        grace: int = 3600, labels: dict[str, str] | None = None) -> dict:
    """A router Pod of OpenShift 4 on the host network of the node at `address` ("": not started yet)."""
    ports = [{"name": port, "containerPort": number, "hostPort": number, "protocol": "TCP"}
             for port, number in (("http", 80), ("https", 443), ("metrics", 1936))]
    environment = [{"name": "ROUTER_SERVICE_NAME", "value": "default"}]
    if proxy:
        environment.append({"name": "ROUTER_USE_PROXY_PROTOCOL", "value": "true"})
    container = {"name": "router", "image": "registry.invalid/router", "ports": ports, "env": environment}
    status: dict[str, Any] = {"phase": "Running" if address else "Pending",
                              "conditions": [{"type": "Ready", "status": "True" if ready and address else "False"}]}
    if address:
        status |= {"hostIP": address, "podIP": address, "podIPs": [{"ip": address}]}
    return {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace,
                         "labels": {ROUTER_LABEL: "default"} if labels is None else labels},
            "spec": {"nodeName": f"node-{address or 'new'}", "hostNetwork": True, "containers": [container],
                     "terminationGracePeriodSeconds": grace}, "status": status}


def host_of(item: dict) -> str:
    """The host that a Route asks for, wildcards as "*.NAME"; "" if it asks for none."""
    host = item["spec"].get("host", "")
    return "*." + host.partition(".")[2] if item["spec"].get("wildcardPolicy") == "Subdomain" else host
