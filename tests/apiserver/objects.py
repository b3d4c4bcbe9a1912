"""What makes a Route or a Pod valid, and what the server fills in."""

from __future__ import annotations

import copy
import ipaddress
import os
import re
import time
from typing import Any

from .answers import bad_request, invalid
from .store import POD, ROUTE, Kind

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
DNS_HELP = ("a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and "
            "end with an alphanumeric character")
TERMINATIONS = ("edge", "reencrypt", "passthrough")
POLICIES = ("None", "Allow", "Redirect")
WILDCARDS = ("None", "Subdomain")

Causes = list[tuple[str, str]]


def timestamp(seconds: float | None = None) -> str:
    """Now, as metadata has it: whole seconds, UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def new_uid() -> str:
    """A random UUID."""
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def _is_hostname(text: Any) -> bool:
    return (isinstance(text, str) and 0 < len(text) <= 253
            and all(LABEL.fullmatch(label) for label in text.split(".")))


def _check_tls(spec: dict, causes: Causes) -> None:
    tls = spec["tls"]
    termination = tls.get("termination") or "edge"
    policy = tls.get("insecureEdgeTerminationPolicy") or "None"
    if termination not in TERMINATIONS:
        causes.append(("spec.tls.termination", f'Unsupported value: "{termination}": supported values: "edge", '
                       '"passthrough", "reencrypt"'))
    if policy not in POLICIES:
        causes.append(("spec.tls.insecureEdgeTerminationPolicy", f'Invalid value: "{policy}": insecure traffic is '
                       f'not allowed for {termination} with this value'))
    if termination == "passthrough":
        if policy == "Allow":
            causes.append(("spec.tls.insecureEdgeTerminationPolicy",
                           'Invalid value: "Allow": passthrough termination allows only None or Redirect'))
        if spec.get("path"):
            causes.append(("spec.path", f'Invalid value: "{spec["path"]}": passthrough termination does not support '
                           "paths"))


def _check_backend(where: str, backend: Any, causes: Causes) -> None:
    if not isinstance(backend, dict) or not backend.get("name"):
        causes.append((f"{where}.name", "Required value"))
        return
    weight = backend.get("weight", 100)
    if not isinstance(weight, int) or not 0 <= weight <= 256:
        causes.append((f"{where}.weight", f"Invalid value: {weight}: weight must be an integer between 0 and 256"))


def _check_route(item: dict) -> Causes:
    causes: Causes = []
    spec = item["spec"]
    for where in ("host", "subdomain"):
        value = spec.get(where)
        if value and not _is_hostname(value):
            causes.append((f"spec.{where}", f'Invalid value: "{value}": {DNS_HELP}'))
    if spec.get("path") and not str(spec["path"]).startswith("/"):
        causes.append(("spec.path", f'Invalid value: "{spec["path"]}": path must begin with /'))
    if isinstance(spec.get("tls"), dict):
        _check_tls(spec, causes)
    _check_backend("spec.to", spec.get("to"), causes)
    alternates = spec.get("alternateBackends") or []
    if len(alternates) > 3:
        causes.append(("spec.alternateBackends", f"Too many: {len(alternates)}: must have at most 3 items"))
    for number, backend in enumerate(alternates):
        _check_backend(f"spec.alternateBackends[{number}]", backend, causes)
    policy = spec.get("wildcardPolicy", "None")
    if policy not in WILDCARDS:
        causes.append(("spec.wildcardPolicy", f'Unsupported value: "{policy}": supported values: "None", "Subdomain"'))
    elif policy == "Subdomain" and not spec.get("host"):
        causes.append(("spec.wildcardPolicy", 'Invalid value: "Subdomain": host name not specified for wildcard '
                       "policy"))
    return causes


def _default_route(item: dict, domain: str) -> None:
    spec, metadata = item["spec"], item["metadata"]
    spec.setdefault("wildcardPolicy", "None")
    for backend in [spec.get("to"), *(spec.get("alternateBackends") or [])]:
        if isinstance(backend, dict):
            backend.setdefault("kind", "Service")
            backend.setdefault("weight", 100)
    if isinstance(spec.get("tls"), dict) and not spec["tls"].get("termination"):
        spec["tls"]["termination"] = "edge"
    if not spec.get("host") and not spec.get("subdomain") and spec["wildcardPolicy"] == "None":
        spec["host"] = f'{metadata["name"].replace(".", "-")}-{metadata["namespace"]}.{domain}'
        metadata.setdefault("annotations", {})["openshift.io/host.generated"] = "true"


def _check_pod(item: dict) -> Causes:
    causes: Causes = []
    containers = item["spec"].get("containers")
    if not isinstance(containers, list) or not containers:
        causes.append(("spec.containers", "Required value"))
    for field in ("hostIP", "podIP"):
        value = (item.get("status") or {}).get(field)
        try:
            if value:
                ipaddress.ip_address(value)
        except ValueError:
            causes.append((f"status.{field}", f'Invalid value: "{value}": must be a valid IP address'))
    return causes


def _check_metadata(item: dict) -> Causes:
    causes: Causes = []
    for part in ("labels", "annotations"):
        values = item["metadata"].get(part) or {}
        if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
            raise bad_request(f"json: cannot unmarshal into Go struct field ObjectMeta.metadata.{part} of type string")
    if sum(len(key) + len(value) for key, value in (item["metadata"].get("annotations") or {}).items()) > 256 << 10:
        causes.append(("metadata.annotations", "Too long: must have at most 262144 bytes"))
    return causes


def check(kind: Kind, item: dict) -> None:
    """422 with every fault of the object."""
    causes = _check_metadata(item) + (_check_route(item) if kind is ROUTE else _check_pod(item))
    if causes:
        raise invalid(kind.name, kind.group, item["metadata"]["name"], causes)


def admit_shape(kind: Kind, item: Any, namespace: str, name: str) -> dict:
    """The body of a write as an object of the right kind in the right place; 400 if it is none."""
    if not isinstance(item, dict) or not isinstance(item.get("metadata"), dict):
        raise bad_request(f"the object provided is unrecognized: no {kind.name}")
    if item.get("kind", kind.name) != kind.name or item.get("apiVersion", kind.api) != kind.api:
        raise bad_request(f'{item.get("apiVersion")}, Kind={item.get("kind")} in version cannot be handled as a '
                          f"{kind.name}")
    metadata = item["metadata"]
    if metadata.setdefault("namespace", namespace) != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    if name and metadata.setdefault("name", name) != name:
        raise bad_request(f'the name of the object ({metadata["name"]}) does not match the name on the URL ({name})')
    if not isinstance(item.get("spec"), dict):
        item["spec"] = {}
    given = metadata.get("name")
    if not isinstance(given, str) or not NAME.fullmatch(given):
        raise invalid(kind.name, kind.group, str(given), [("metadata.name", f'Invalid value: "{given}": {DNS_HELP}')])
    return item


def created(kind: Kind, item: dict, domain: str) -> dict:
    """A new object with what the server gives it. A Route's status is the routers' business; a Pod may bring one, in
    the place of a kubelet."""
    item = copy.deepcopy(item)
    metadata = item["metadata"]
    # The time may be given, so that a test can make something old.
    ordered = {"name": metadata["name"], "namespace": metadata["namespace"], "uid": new_uid(), "resourceVersion": "",
               "creationTimestamp": metadata.get("creationTimestamp") or timestamp()}
    for key in ("labels", "annotations", "finalizers"):
        if metadata.get(key):
            ordered[key] = metadata[key]
    if kind is ROUTE:
        ordered["generation"] = 1
    result = {"kind": kind.name, "apiVersion": kind.api, "metadata": ordered, "spec": item["spec"]}
    if kind is POD:
        result["status"] = item.get("status") or {"phase": "Pending"}
    else:
        _default_route(result, domain)
    check(kind, result)
    return result


def updated(kind: Kind, old: dict, new: dict, part: str, domain: str, host_changeable: bool) -> dict:
    """The object after a write of everything but its status, or (`part` "status") of its status alone."""
    result = copy.deepcopy(old)
    if part == "status":
        result["status"] = new.get("status") or {}
        return result
    for key in ("labels", "annotations"):
        result["metadata"].pop(key, None)
        if new["metadata"].get(key):
            result["metadata"][key] = new["metadata"][key]
    result["spec"] = copy.deepcopy(new["spec"])
    if kind is ROUTE:
        _default_route(result, domain)
        if result["spec"] != old["spec"]:
            result["metadata"]["generation"] = old["metadata"].get("generation", 1) + 1
        if result["spec"].get("host") != old["spec"].get("host") and not host_changeable:
            raise invalid(kind.name, kind.group, old["metadata"]["name"],
                          [("spec.host", f'Invalid value: "{result["spec"].get("host", "")}": field is immutable')])
    check(kind, result)
    return result


def merged(old: Any, patch: Any) -> Any:
    """A JSON merge patch (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    result = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result
