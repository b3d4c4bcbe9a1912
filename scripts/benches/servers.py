"""The router hosts of a bench: in each cluster one nginx, one process on one core, that answers for all its addresses.

The same process serves every variant, whichever router host is chosen, so that the variants differ in nothing but what
stands between client and server. Port 80 answers a small 200; port 1936 tells health and counts requests.
"""

from __future__ import annotations

import http.client
import os
import re
import shutil

from demonet import names, netns
from demonet.supervisor import Service

BODY = "small answer of a router host, the same for every request; 64 B\n"

NGINX = """\
worker_processes 1;
daemon off;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    server_tokens off;
    keepalive_requests 1000000000;
    keepalive_timeout 300s;
    client_body_temp_path {dir}/temp;
    proxy_temp_path {dir}/temp;
    fastcgi_temp_path {dir}/temp;
    uwsgi_temp_path {dir}/temp;
    scgi_temp_path {dir}/temp;
    default_type text/plain;
    server {{
        listen 80 backlog=16384;
        location / {{ return 200 "{body}"; }}
    }}
    server {{
        listen {health};
        location /healthz/ {{ return 200 "ok\\n"; }}
        location /requests {{ stub_status; }}
    }}
}}
"""


def prepare(run_dir: str, core: int) -> list[Service]:
    """Writes the configurations and returns the programs."""
    services = []
    for cluster in names.CLUSTERS:
        directory = f"{run_dir}/servers/{cluster.name}"
        os.makedirs(f"{directory}/temp", exist_ok=True)
        shutil.chown(f"{directory}/temp", "www-data")
        with open(f"{directory}/nginx.conf", "w", encoding="ascii") as file:
            file.write(NGINX.format(dir=directory, body=BODY.strip() + "\\n", health=names.HEALTH_PORT))
        services.append(Service(f"server-{cluster.name}",
                                ["nginx", "-e", f"{directory}/error.log", "-c", f"{directory}/nginx.conf"],
                                cluster.namespace, str(core)))
    return services


def requests_served(cluster: names.Cluster) -> int:
    """How many requests the cluster's nginx has answered since it was started, this one and health checks too."""
    connection = http.client.HTTPConnection(cluster.hosts[0], names.HEALTH_PORT, timeout=5)
    with netns.inside(cluster.namespace):
        connection.connect()
    try:
        connection.request("GET", "/requests")
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    counted = re.search(r"^ *\d+ +\d+ +(\d+) *$", text, re.M)
    if not counted:
        raise OSError(f"the nginx of {cluster.name} does not say how many requests it had: {text!r}")
    return int(counted[1])
