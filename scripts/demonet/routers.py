"""The router hosts and the applications behind them: certificates, configuration files and the programs to run.

Each router host is one HAProxy laid out as the OpenShift router's: port 80 by Host; port 443 looks at the SNI, passes
passthrough names on and ends TLS itself for the others; port 1936 tells its health. Behind the hosts of a cluster
stands one nginx, at 127.0.0.N for the router host whose address ends in N, and a small program for bytes and hashes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from . import names
from .certificates import make_authority, make_certificate
from .supervisor import ENTRY, Service, await_true

HAPROXY = """\
global
    maxconn 8000
    nbthread 1
    user haproxy
    group haproxy
    stats socket {dir}/stats.sock mode 600 level admin
    ssl-default-bind-options ssl-min-ver TLSv1.2

defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    timeout http-request 10s
    timeout http-keep-alive 300s
    timeout tunnel 1h

frontend http
    bind {host}:80
    http-request return status 503 content-type text/plain string "no route on this cluster\\n" unless {{ {names} }}
    default_backend application

frontend tls
    mode tcp
    bind {host}:443
    tcp-request inspect-delay 5s
    tcp-request content accept if {{ req.ssl_hello_type 1 }}
    use_backend passthrough if {{ req.ssl_sni -i {passthrough} }}
    default_backend terminate

backend passthrough
    mode tcp
    server app {app}:8443

backend terminate
    mode tcp
    server self abns@pointsman-{host} send-proxy-v2

frontend https
    bind abns@pointsman-{host} accept-proxy ssl crt {certificate}
    http-request return status 503 content-type text/plain string "no route on this cluster\\n" unless {{ {names} }}
    default_backend application

backend application
    http-reuse always
    option forwardfor
    # A browser that reloads the page shall open a new connection: weights act per connection.
    http-request set-var(txn.page) str(1) if {{ path / }} {{ req.hdr(accept) -m sub text/html }}
    http-response set-header Connection close if {{ var(txn.page) -m found }}
    server app {app}:8080
"""

HEALTH = """\
defaults
    mode http
    timeout client 5s
    timeout http-request 5s

frontend health
    bind {host}:1936
    http-request return status 200 content-type text/plain string "ok\\n" if {{ path /healthz /healthz/ready }}
    http-request return status 404 content-type text/plain string "not found\\n"
"""

NGINX = """\
worker_processes 1;
daemon off;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    server_tokens off;
    keepalive_requests 1000000;
    client_max_body_size 0;
    client_body_temp_path {dir}/temp;
    proxy_temp_path {dir}/temp;
    fastcgi_temp_path {dir}/temp;
    uwsgi_temp_path {dir}/temp;
    scgi_temp_path {dir}/temp;
    ssl_certificate {passthrough_certificate};
    ssl_certificate_key {passthrough_certificate};
    map $server_addr $router {{
{routers}
    }}
    server {{
{listens}
        add_header Cache-Control no-store;
        default_type text/plain;
        location = / {{
            if ($http_accept ~ text/html) {{ rewrite ^ /page last; }}
            return 200 "cluster={cluster} router=$router host=$host\\n";
        }}
        location = /page {{
            internal;
            default_type text/html;
            return 200 '{page}';
        }}
        location / {{ return 404 "not found\\n"; }}
        location ~ ^/(bytes/|sha256$) {{
            proxy_pass http://127.0.0.1:8099;
            proxy_request_buffering off;
            proxy_buffering off;
            proxy_buffer_size 64k;
            proxy_buffers 4 64k;
        }}
    }}
}}
"""

PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>$host on {cluster}</title>'
    '<link rel="icon" href="data:,">'
    '<body style="margin:0;height:100vh;display:grid;place-content:center;text-align:center;'
    'font:1.5rem sans-serif;color:#fff;background:{colour}">'
    '<h1 style="font-size:5rem;margin:0">{cluster}</h1><p>router host $router<br>host name $host</p>'
    "<p><small>Reload: each reload is a new connection, and pointsman elects again.</small></p></body></html>\\n"
)


def make_certificates(directory: str) -> None:
    """One authority; per cluster a certificate for the names whose TLS its routers end, and one for the passthrough
    name, which its application has."""
    if os.path.exists(f"{directory}/complete"):
        return
    make_authority(directory)
    for cluster in names.ALL_CLUSTERS:
        make_certificate(directory, cluster.name, f"/O={cluster.name}/CN={cluster.terminated[0]}", cluster.terminated)
        make_certificate(directory, f"{cluster.name}-passthrough", f"/O={cluster.name}/CN={names.PASSTHROUGH}",
                         (names.PASSTHROUGH,))
    with open(f"{directory}/complete", "w", encoding="ascii"):
        pass


def _app_address(host: str) -> str:
    return "127.0.0." + host.rsplit(".", 1)[1]


def _pattern(name: str) -> str:
    """A host name as a regular expression; `*` stands for exactly one label."""
    labels = ["[^.]+" if label == "*" else label for label in name.split(".")]
    return "[.]".join(labels)


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _write_router(run_dir: str, cluster: names.Cluster, host: str) -> str:
    directory = f"{run_dir}/routers/{host}"
    os.makedirs(directory, exist_ok=True)
    alternatives = "|".join(_pattern(name) for name in cluster.terminated)
    known = f"req.hdr(host),field(1,:),lower -m reg ^({alternatives})[.]?$"
    _write(f"{directory}/router.cfg", HAPROXY.format(
        dir=directory, host=host, app=_app_address(host), names=known,
        passthrough=names.PASSTHROUGH, certificate=f"{run_dir}/certs/{cluster.name}.pem"))
    _write(f"{directory}/health.cfg", HEALTH.format(host=host))
    return directory


def _write_application(run_dir: str, cluster: names.Cluster) -> str:
    directory = f"{run_dir}/apps/{cluster.name}"
    os.makedirs(f"{directory}/temp", exist_ok=True)
    shutil.chown(f"{directory}/temp", "www-data")
    addresses = [(_app_address(host), host) for host in cluster.hosts]
    _write(f"{directory}/nginx.conf", NGINX.format(
        dir=directory, cluster=cluster.name, page=PAGE.format(cluster=cluster.name, colour=cluster.colour),
        passthrough_certificate=f"{run_dir}/certs/{cluster.name}-passthrough.pem",
        routers="\n".join(f"        {app} {host};" for app, host in addresses),
        listens="\n".join(f"        listen {app}:8080 backlog=4096;\n        listen {app}:8443 ssl backlog=4096;"
                          for app, _ in addresses)))
    return directory


def router_name(host: str) -> str:
    """The name under which a router host's HAProxy is started and stopped."""
    return f"router-{host}"


def router_service(run_dir: str, host: str, health: bool = True) -> Service:
    """A router host's HAProxy; without `health` nothing listens on its port 1936."""
    directory = f"{run_dir}/routers/{host}"
    argv = ["haproxy", "-db", "-f", f"{directory}/router.cfg"]
    if health:
        argv += ["-f", f"{directory}/health.cfg"]
    return Service(router_name(host), argv, names.cluster_of(host).namespace, names.other_cores())


def healthy(host: str) -> bool:
    """Does the router host say that it is ready? Asked from the edge."""
    asked = subprocess.run(("ip", "netns", "exec", names.EDGE, "curl", "-sf", "-m", "2", "-o", "/dev/null",
                            f"http://{host}:{names.HEALTH_PORT}/healthz/ready"), check=False)
    return asked.returncode == 0


def await_healthy(hosts: tuple[str, ...], seconds: float = 15.0) -> None:
    """Waits until every router host is ready."""
    for host in hosts:
        await_true(lambda: healthy(host), seconds, f"router host {host} is ready")


def prepare(run_dir: str, clusters: tuple[names.Cluster, ...] = names.CLUSTERS) -> list[Service]:
    """Writes all that the clusters need under `run_dir` and returns their programs, applications first."""
    make_certificates(f"{run_dir}/certs")
    services: list[Service] = []
    for cluster in clusters:
        directory = _write_application(run_dir, cluster)
        cores = names.other_cores()
        services.append(Service(f"app-{cluster.name}",
                                ["nginx", "-e", f"{directory}/error.log", "-c", f"{directory}/nginx.conf"],
                                cluster.namespace, cores))
        services.append(Service(f"bytes-{cluster.name}",
                                [sys.executable, ENTRY, "app", "127.0.0.1", "8099"],
                                cluster.namespace, cores))
    for cluster in clusters:
        for host in cluster.hosts:
            _write_router(run_dir, cluster, host)
            services.append(router_service(run_dir, host))
    return services
