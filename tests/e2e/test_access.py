"""Who may do what through the admin API, and what happens to whom it is not meant for."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import ssl
import subprocess
import time
from typing import Any

import access
from access import Tokens, WebSocket, ask, bearer, connect, exchange, request
from demonet import certificates, names
from demonet.balancer import CONTROL
from demonet.supervisor import await_true
from rig import Rig

STATUS = "/api/v1/status"
CONFIRM = "/api/v1/clusters/ose1/held/confirm"  # a write of an operator that changes nothing here
ORIGIN = f"http://127.0.0.1:{access.PORT}"
ROLES = ("viewer", "operator", "admin")


def guarded(rig: Rig, **admin: Any) -> tuple[Tokens, dict[str, str]]:
    """A pointsman that knows tokens and lets nobody else in; the tokens by role."""
    tokens = Tokens(f"{rig.run_dir}/tokens")
    by_role = {role: tokens.add(role, role) for role in ROLES}
    config = {"admin": {"loopback": "none", "tokens": tokens.path} | admin}
    rig.start(config, fresh=True, wait=False)
    rig.dirty = True
    tls = trust(rig) if "tls" in admin else None
    await_true(lambda: ask("GET", STATUS, bearer(by_role["viewer"]), tls=tls).status == 200, 10, "the API is there")
    return tokens, by_role


def trust(rig: Rig) -> ssl.SSLContext:
    """Trusts the demo's authority."""
    return ssl.create_default_context(cafile=f"{rig.run_dir}/certs/ca.pem")


def log_in(secret: str, tls: ssl.SSLContext | None = None) -> str:
    """The cookie of a session, as a page sends it."""
    origin = ORIGIN.replace("http:", "https:") if tls else ORIGIN
    answer = ask("POST", "/api/v1/login", {"Origin": origin}, b'{"token": "%s"}' % secret.encode(), tls=tls)
    assert answer.status == 200, answer.body
    return answer.fields["set-cookie"].partition(";")[0]


def addresses(secret: str) -> list[tuple[str, str, str]]:
    """(method, path, least role) of every address, as the API itself lists them, with names put in."""
    lines = ask("GET", "/api/v1", bearer(secret)).body.decode().splitlines()
    found = [line.split()[:3] for line in lines if re.match(r"(GET|PUT|POST|PATCH|DELETE)\s+/", line)]
    fill = {"{cluster}": "ose1", "{host}": "nobody", "{id}": "1", "{key}": "nobody", "{name}": "nobody"}
    assert len(found) > 20
    return [(method, re.sub(r"\{\w+\}", lambda part: fill[part.group()], path), role) for method, path, role in found]


# --- who is let in ---

def test_closed_by_default(rig: Rig) -> None:
    """Without a word in the configuration nobody gets anything but the page, not even which addresses there are; the
    log says how to make the first token."""
    rig.start({"admin": {"loopback": "none"}}, fresh=True, wait=False)
    rig.dirty = True
    await_true(lambda: ask("GET", "/").status == 200, 10, "the page is there")
    for path in (STATUS, "/api/v1", "/metrics", "/nowhere", "/api/v1/clusters/ose1", "/api/v1/stream"):
        for method in ("GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "TRACE"):
            answer = ask(method, path)
            assert answer.status == 401, (method, path, answer.status)
            assert answer.fields["www-authenticate"] == 'Bearer realm="pointsman"'
    assert "pointsman token create NAME --role admin --local" in rig.log(CONTROL)


def test_every_address_asks_who_it_is(rig: Rig) -> None:
    """Of all addresses that the API lists none answers nobody, a wrong token, or too low a role."""
    _, by_role = guarded(rig)
    checked = 0
    for method, path, least in addresses(by_role["viewer"]):
        if path in ("/api/v1/login", "/api/v1/logout") or least == "push":
            continue
        assert ask(method, path).status == 401, (method, path)
        for role in ROLES[:ROLES.index(least)]:
            answer = ask(method, path, bearer(by_role[role]), b"{}")
            assert answer.status == 403 and least in answer.json["detail"], (method, path, role, answer.status)
        checked += 1
    assert checked > 20
    assert ask("GET", STATUS, bearer("pm_" + "A" * 43)).status == 401
    assert ask("GET", STATUS, {"Authorization": "Basic YTpi"}).status == 401


def test_roles(rig: Rig) -> None:
    """Each role may what the ones before it may."""
    _, by_role = guarded(rig)
    for role in ROLES:
        who = ask("GET", "/api/v1/whoami", bearer(by_role[role])).json
        assert (who["name"], who["role"], who["by"]) == (role, role, "token")
        assert ask("GET", STATUS, bearer(by_role[role])).status == 200
        assert ask("POST", CONFIRM, bearer(by_role[role])).status == (403 if role == "viewer" else 200)
        assert ask("GET", "/api/v1/tokens", bearer(by_role[role])).status == (200 if role == "admin" else 403)


def test_tokens_by_the_api(rig: Rig) -> None:
    """A token made through the API works at once, is never shown again, and ends when it is removed."""
    _, by_role = guarded(rig)
    admin = bearer(by_role["admin"])
    made = ask("POST", "/api/v1/tokens", admin, b'{"name": "ci", "role": "operator"}')
    assert made.status == 201 and made.json["token"].startswith("pm_")
    assert ask("POST", CONFIRM, bearer(made.json["token"])).status == 200
    listed = ask("GET", "/api/v1/tokens", admin)
    assert {token["name"]: token["role"] for token in listed.json["tokens"]} == {role: role for role in ROLES} | {
        "ci": "operator"}
    assert made.json["token"].encode() not in listed.body
    with open(f"{rig.run_dir}/tokens", encoding="ascii") as file:
        assert made.json["token"] not in file.read()
    assert os.stat(f"{rig.run_dir}/tokens").st_mode & 0o777 == 0o600
    assert ask("DELETE", "/api/v1/tokens/ci", admin).status == 200
    assert ask("GET", STATUS, bearer(made.json["token"])).status == 401
    assert ask("DELETE", "/api/v1/tokens/admin", admin).status == 409, "the last admin stays"
    assert made.json["token"] not in rig.log(CONTROL)


def test_token_file_changes_while_running(rig: Rig) -> None:
    """Added and removed tokens count at once; a broken file changes nothing and is reported."""
    tokens, by_role = guarded(rig)
    new = tokens.add("new", "viewer")
    assert ask("GET", STATUS, bearer(new)).status == 200
    cookie = log_in(new)
    assert ask("GET", STATUS, {"Cookie": cookie}).status == 200
    tokens.remove("new")
    assert ask("GET", STATUS, {"Cookie": cookie}).status == 401, "its session goes on"
    assert ask("GET", STATUS, bearer(new)).status == 401
    with open(tokens.path, "w", encoding="ascii") as file:
        file.write('{"name": "eve", "role": "admin"}\n')
    await_true(lambda: "line 1 has no \"id\"" in rig.log(CONTROL), 3, "the broken file is reported")
    assert ask("GET", STATUS, bearer(by_role["viewer"])).status == 200
    events = ask("GET", "/api/v1/events", bearer(by_role["viewer"])).json["events"]
    assert any(event["kind"] == "tokens_broken" for event in events)
    tokens.write()
    os.chmod(tokens.path, 0o666)
    await_true(lambda: "others may write it" in rig.log(CONTROL), 3, "so is one that everybody may write")


def test_brute_force(rig: Rig) -> None:
    """After five wrong tokens the address has to wait, longer each time; sessions and other addresses go on."""
    _, by_role = guarded(rig)
    cookie = log_in(by_role["viewer"])
    statuses = [ask("GET", STATUS, bearer(f"pm_{i:043d}")).status for i in range(8)]
    assert statuses == [401] * 5 + [429] * 3, statuses
    refused = ask("GET", STATUS, bearer(by_role["admin"]))
    assert refused.status == 429 and 1 <= int(refused.fields["retry-after"]) <= 2
    assert ask("POST", "/api/v1/login", {"Origin": ORIGIN}, b'{"token": "x"}').status == 429
    assert ask("GET", STATUS, {"Cookie": cookie}).status == 200
    time.sleep(int(refused.fields["retry-after"]))
    assert ask("GET", STATUS, bearer("pm_again")).status == 401
    assert int(ask("GET", STATUS, bearer("pm_again")).fields["retry-after"]) == 2
    assert "token_refused" in str(ask("GET", "/api/v1/events", {"Cookie": cookie}).json)
    await_true(lambda: ask("GET", STATUS, bearer(by_role["admin"])).status == 200, 4, "the right token, after the wait")


def test_rate_limit(rig: Rig) -> None:
    """More requests than admin.requests_per_second are 429 until there is room again."""
    _, by_role = guarded(rig, requests_per_second=5)
    statuses = []
    with contextlib.closing(connect()) as sock:
        while len(statuses) < 200:
            answer = exchange(sock, request("GET", STATUS, bearer(by_role["viewer"])))
            statuses.append(answer.status)
            if answer.status == 429:
                break
    assert 20 < len(statuses) < 200 and statuses[-1] == 429, statuses
    assert int(answer.fields["retry-after"]) == 1
    await_true(lambda: ask("GET", STATUS, bearer(by_role["viewer"])).status == 200, 3, "there is room again")


# --- browsers ---

def test_sessions(rig: Rig) -> None:
    """A page logs in, reads, writes with its Origin, and logs out; the cookie cannot be read, sent from elsewhere, or
    changed."""
    _, by_role = guarded(rig)
    answer = ask("POST", "/api/v1/login", {"Origin": ORIGIN}, b'{"token": "%s"}' % by_role["operator"].encode())
    cookie, *fields = answer.fields["set-cookie"].split("; ")
    assert {"HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"} <= set(fields) and "Secure" not in fields
    assert answer.json["role"] == "operator" and answer.json["expires_at"].endswith("Z")
    assert ask("GET", "/api/v1/whoami", {"Cookie": cookie}).json["by"] == "session"
    assert ask("POST", CONFIRM, {"Cookie": cookie, "Origin": ORIGIN}).status == 200
    assert ask("POST", CONFIRM, {"Cookie": cookie, "Sec-Fetch-Site": "same-origin"}).status == 200
    for i in range(len("pointsman_session="), len(cookie)):
        forged = cookie[:i] + ("A" if cookie[i] != "A" else "B") + cookie[i + 1:]
        assert ask("GET", STATUS, {"Cookie": forged}).status == 401, forged
    gone = ask("POST", "/api/v1/logout", {"Cookie": cookie, "Origin": ORIGIN}).fields["set-cookie"]
    assert gone.startswith("pointsman_session=;") and "Max-Age=0" in gone


def test_logout_ends_the_session(rig: Rig) -> None:
    """A cookie that was copied is worth nothing after the logout, its streams are closed, and a restart of control does
    not bring it back; another session of the same token goes on."""
    _, by_role = guarded(rig)
    cookie, other = log_in(by_role["operator"]), log_in(by_role["operator"])
    stream = WebSocket({"Cookie": cookie, "Origin": ORIGIN})
    assert stream.message()["type"] == "hello"
    assert ask("POST", "/api/v1/logout", {"Cookie": cookie, "Origin": ORIGIN}).status == 200
    assert stream.closed() == 4401
    assert ask("GET", STATUS, {"Cookie": cookie}).status == 401
    assert ask("POST", CONFIRM, {"Cookie": cookie, "Origin": ORIGIN}).status == 401
    assert WebSocket({"Cookie": cookie, "Origin": ORIGIN}).refused.status == 401
    assert ask("GET", STATUS, {"Cookie": other}).status == 200
    pid = rig.programs.pid(CONTROL)
    rig.signal(CONTROL, signal.SIGKILL)
    await_true(lambda: rig.programs.pid(CONTROL) not in (0, pid) and
               ask("GET", STATUS, {"Cookie": other}).status == 200, 15, "control is back, and the other session goes on")
    assert ask("GET", STATUS, {"Cookie": cookie}).status == 401


def test_pages_of_others(rig: Rig) -> None:
    """CSRF: a cookie, or the role of loopback, without a page of ours writes nothing; not even a page of this
    machine."""
    _, by_role = guarded(rig, loopback="admin")
    cookie = log_in(by_role["admin"])
    for who in ({"Cookie": cookie}, {}):
        for fields in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:3000"},
                       {"Origin": "http://localhost:8089"},
                       {"Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"},
                       {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "none"}):
            for method, path in (("POST", CONFIRM), ("DELETE", "/api/v1/clusters/ose1?force=true"),
                                 ("POST", "/api/v1/logout")):
                assert ask(method, path, who | fields).status == 403, (method, path, fields)
    assert ask("POST", CONFIRM, {"Cookie": cookie}).status == 403, "a cookie without any Origin"
    assert ask("POST", CONFIRM).status == 200, "a program on loopback"
    for field in ("Forwarded", "X-Forwarded-For"):
        assert ask("GET", STATUS, {field: "192.0.2.1"}).status == 401, "somebody behind a proxy on loopback"
    form = {"Origin": ORIGIN, "Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
    assert ask("PUT", "/api/v1/clusters/x", form, b"a=b").status == 415
    assert {cluster["name"] for cluster in rig.get("/api/v1/clusters")["clusters"]} == {"ose1", "ose2"}


def test_dns_rebinding(rig: Rig) -> None:
    """A name that somebody else points here gets nothing, the page included."""
    _, by_role = guarded(rig)
    for host in ("evil.example", "evil.example:8089", "127.0.0.1.evil.example", "127.0.0.1@evil.example", "0x7f000001",
                 "127.1", "[::1]", ""):
        for path in ("/", STATUS, "/nowhere"):
            answer = ask("GET", path, {"Host": host} | bearer(by_role["admin"]))
            assert answer.status in (400, 403), (host, path, answer.status)


def test_headers_of_every_answer(rig: Rig) -> None:
    """What keeps a browser from framing, sniffing, keeping and leaking stands in every kind of answer."""
    _, by_role = guarded(rig)
    admin = bearer(by_role["admin"])
    too_long = {"Content-Length": str(1 << 40), "Content-Type": "application/json"}
    answers = {200: ask("GET", STATUS, admin), 401: ask("GET", STATUS), 404: ask("GET", "/nowhere", admin),
               405: ask("PUT", STATUS, admin), 403: ask("GET", STATUS, {"Host": "evil.example"}),
               413: ask("PUT", "/api/v1/clusters/x", admin | too_long),
               426: ask("GET", "/api/v1/stream", admin), 400: ask("GET", f"{STATUS}?x=y", admin)}
    for status, answer in answers.items():
        assert answer.status == status, (status, answer.status)
        assert answer.fields["cache-control"] == "no-store", status
    answers[0] = ask("GET", "/")
    assert answers[0].status == 200 and answers[0].fields["cache-control"] == "no-cache"
    for status, answer in answers.items():
        policy = answer.fields["content-security-policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy, status
        assert answer.fields["x-frame-options"] == "DENY" and answer.fields["x-content-type-options"] == "nosniff"
        assert answer.fields["referrer-policy"] == "no-referrer" and "server" not in answer.fields
        assert not any(name.startswith("access-control") for name in answer.fields)
    tag = answers[0].fields["etag"]
    kept = ask("GET", "/", {"If-None-Match": tag})
    assert (kept.status, kept.body, kept.fields["etag"]) == (304, b"", tag)
    head = ask("HEAD", "/")
    assert head.status == 200 and head.body == b"" and int(head.fields["content-length"]) == len(answers[0].body)


# --- what is sent to break it ---

def test_traversal(rig: Rig) -> None:
    """No path leads out of the page: there is no file system behind it."""
    _, by_role = guarded(rig)
    paths = ["/../../etc/passwd", "/..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%5c..%5cetc%5cpasswd",
             "/..\\..\\etc\\passwd", "/app.js%00.css", "/%00", "/app.js/../../etc/passwd", "//etc/passwd", "/./app.js",
             "/%252e%252e/etc/passwd", "/..;/etc/passwd", "/app.js/", "/APP.JS", "/etc/passwd", "/api/v1/../../app.js",
             "/api/v1/status%00", "/api/v1/status%00.css", "/api/v1//status", "/%c0%ae%c0%ae/etc/passwd",
             "/" + "../" * 500]
    for path in paths:
        for fields in ({}, bearer(by_role["admin"])):
            answer = ask("GET", path, fields)
            assert answer.status in (400, 401, 404, 414), (path, answer.status)
            assert b"root:" not in answer.body and b"<html" not in answer.body


def test_names_with_line_ends(rig: Rig) -> None:
    """CR and LF in names, paths and reasons make no header field and no line of the log."""
    _, by_role = guarded(rig)
    admin = bearer(by_role["admin"])
    evil = "a%0d%0aSet-Cookie:%20evil=1"
    answers = [ask("GET", f"/api/v1/clusters/{evil}", admin), ask("DELETE", f"/api/v1/tokens/{evil}", admin),
               ask("GET", f"/{evil}", admin), ask("GET", f"{STATUS}?{evil}=1", admin),
               ask("POST", f"{CONFIRM}?reason={evil}", admin),
               ask("POST", "/api/v1/tokens", admin, b'{"name": "a\\r\\nb", "role": "viewer"}'),
               ask("GET", STATUS, admin | {"If-Match": "\"1\"\tx"})]
    for answer in answers:
        assert answer.status != 0 and "set-cookie" not in answer.fields, answer.lines
        assert not any("evil" in line for line in answer.lines)
    assert not any(line.startswith("Set-Cookie") for line in rig.log(CONTROL).splitlines())


def test_json_bombs(rig: Rig) -> None:
    """Deep nesting, long numbers and strings, doubled fields and wrong bytes are 400, at once. Without a token nothing
    long is taken at all."""
    _, by_role = guarded(rig)
    admin = bearer(by_role["admin"])
    bodies = [b"[" * 100_000, b'{"a":' * 100_000, b"[" * 2000 + b"]" * 2000,
              b'{"source":"static","x":' + b"9" * 100_000 + b"}", b'{"source":"static","source":"static"}',
              b'{"source":"\xff\xfe"}', b'{"source":"a\\u0000b"}', b"nul", b"\0",
              b'{"source":"' + b"a" * 1_000_000 + b'"}']
    pid = rig.programs.pid(CONTROL)
    for body in bodies:
        begun = time.monotonic()
        answer = ask("PUT", "/api/v1/clusters/x", admin, body)
        assert answer.status == 400, (body[:20], answer.status)
        assert time.monotonic() - begun < 2
        assert len(answer.body) < 10_000
    long = {"Content-Length": str(1 << 20), "Content-Type": "application/json"}
    assert ask("POST", "/api/v1/login", long).status == 413
    assert rig.programs.pid(CONTROL) == pid


def test_slow_peers(rig: Rig) -> None:
    """Heads that trickle are cut after ten seconds, however busily; meanwhile everybody else is served, and no peer can
    hold all connections."""
    _, by_role = guarded(rig)
    slow = [connect() for _ in range(300)]
    for sock in slow[150:]:
        with contextlib.suppress(OSError):
            sock.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n")
    assert ask("GET", STATUS, bearer(by_role["viewer"])).status == 200
    drip, begun = connect(), time.monotonic()
    drip.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: ")
    drip.settimeout(0.2)
    while time.monotonic() - begun < 15:
        try:
            drip.sendall(b"a")
            if not drip.recv(1):
                break
        except TimeoutError:
            continue
        except OSError:
            break
        assert ask("GET", STATUS, bearer(by_role["viewer"])).status == 200
    assert 9 < time.monotonic() - begun < 13, time.monotonic() - begun
    for sock in (*slow, drip):
        sock.close()


# --- TLS ---

def make_certificate(rig: Rig, stem: str) -> str:
    """The files of a certificate for the admin API: STEM.crt and STEM.key; returns their common path."""
    certificates.make_certificate(f"{rig.run_dir}/certs", stem, f"/CN={stem}", ("127.0.0.1", "localhost"))
    return f"{rig.run_dir}/certs/{stem}"


def subject(rig: Rig, *options: str) -> tuple[int, str]:
    """What openssl s_client sees: exit code and output."""
    argv = ["openssl", "s_client", "-connect", f"127.0.0.1:{access.PORT}", "-CAfile", f"{rig.run_dir}/certs/ca.pem",
            "-verify_return_error", *options]
    done = subprocess.run(["ip", "netns", "exec", names.EDGE, *argv], input="", capture_output=True, text=True,
                          errors="replace", timeout=20, check=False)
    return done.returncode, done.stdout + done.stderr


def test_tls(rig: Rig) -> None:
    """TLS 1.2 and 1.3 with curl and openssl, nothing older; plain HTTP gets a clear word; cookies are Secure."""
    base = make_certificate(rig, "admin-one")
    _, by_role = guarded(rig, tls={"certificate": f"{base}.crt", "key": f"{base}.key"})
    curl = ["curl", "-sS", "-m", "5", "--cacert", f"{rig.run_dir}/certs/ca.pem",
            "-w", "%{http_code} %{ssl_verify_result}"]
    done = rig.run(names.EDGE, *curl, "-o", "/dev/null", "-H", f"Authorization: Bearer {by_role['viewer']}",
                   f"https://127.0.0.1:{access.PORT}{STATUS}")
    assert done.stdout == "200 0", (done.stdout, done.stderr)
    for version, good in (("-tls1_3", True), ("-tls1_2", True), ("-tls1_1", False), ("-tls1", False)):
        code, text = subject(rig, version, "-cipher", "DEFAULT@SECLEVEL=0")
        assert (code == 0 and "CN = admin-one" in text) == good, (version, text)
    plain = ask("GET", STATUS, bearer(by_role["viewer"]))
    assert plain.status == 400 and b"HTTPS" in plain.body
    for junk in (b"\x16\x03\x01\xff\xff" + b"\0" * 100, b"\x16" * 1000, b"\x16\x03", b"\0"):
        with contextlib.closing(connect()) as sock:
            sock.sendall(junk)
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(4096):
                    pass
    tls = trust(rig)
    answer = ask("POST", "/api/v1/login", {"Origin": ORIGIN.replace("http:", "https:")},
                 b'{"token": "%s"}' % by_role["viewer"].encode(), tls=tls)
    assert answer.status == 200 and "Secure" in answer.fields["set-cookie"].split("; ")
    large = b'{"source": "static", "routes": [' + b" " * (4 << 20)
    assert ask("PUT", "/api/v1/clusters/x", bearer(by_role["admin"]), large, tls=tls).status == 400
    page = ask("GET", "/", tls=tls)
    assert len(page.body) == int(page.fields["content-length"])


def test_certificate_exchange(rig: Rig) -> None:
    """A new certificate is used within two seconds by new connections, while old ones go on; broken files change
    nothing and are named."""
    one, two = make_certificate(rig, "admin-one"), make_certificate(rig, "admin-two")
    live = f"{rig.run_dir}/certs/live"

    def install(certificate: str, key: str) -> None:
        for source, target in ((certificate, f"{live}.crt"), (key, f"{live}.key")):
            with open(source, "rb") as file:
                content = file.read()
            with open(f"{target}.made", "wb") as file:
                file.write(content)
            os.replace(f"{target}.made", target)
    install(f"{one}.crt", f"{one}.key")
    _, by_role = guarded(rig, tls={"certificate": f"{live}.crt", "key": f"{live}.key"})
    viewer, tls = bearer(by_role["viewer"]), trust(rig)
    with contextlib.closing(connect(tls=tls)) as old:
        assert exchange(old, request("GET", STATUS, viewer)).status == 200
        stream = WebSocket(viewer, tls=tls)
        assert stream.message()["type"] == "hello"
        install(f"{two}.crt", f"{two}.key")
        await_true(lambda: "CN = admin-two" in subject(rig)[1], 4, "the new certificate is served")
        assert exchange(old, request("GET", STATUS, viewer)).status == 200, "the old connection goes on"
        assert stream.message()["type"] in ("tick", "event")
        install(f"{one}.crt", f"{two}.key")
        await_true(lambda: "live.key is not the key of" in rig.log(CONTROL), 4, "the wrong pair is named")
        assert "CN = admin-two" in subject(rig)[1]
        os.truncate(f"{live}.crt", 100)
        await_true(lambda: rig.log(CONTROL).count("the certificate from before goes on") >= 2, 4, "so is a broken file")
        assert "CN = admin-two" in subject(rig)[1]
        assert exchange(old, request("GET", STATUS, viewer)).status == 200
        stream.close()


# --- the stream ---

def test_stream_is_guarded(rig: Rig) -> None:
    """No cookie, a wrong one, another Origin or none with a cookie: no stream. Broken handshakes neither."""
    _, by_role = guarded(rig)
    cookie, viewer = log_in(by_role["viewer"]), bearer(by_role["viewer"])
    cases: list[tuple[dict[str, str], int]] = [
        ({}, 401), ({"Cookie": "pointsman_session=x"}, 401), (bearer("pm_x"), 401), ({"Cookie": cookie}, 403),
        ({"Cookie": cookie, "Origin": "http://evil.example"}, 403), ({"Cookie": cookie, "Origin": "null"}, 403),
        ({"Cookie": cookie, "Origin": "http://127.0.0.1:1"}, 403), (viewer | {"Origin": "http://evil.example"}, 403),
        (viewer | {"Sec-WebSocket-Version": "8"}, 426), (viewer | {"Upgrade": "h2c"}, 426),
        (viewer | {"Sec-WebSocket-Key": "short"}, 400), (viewer | {"Host": "evil.example"}, 403)]
    for fields, status in cases:
        stream = WebSocket(fields)
        assert stream.refused and stream.refused.status == status, (fields, stream.refused and stream.refused.status)
        stream.close()
    for fields in (viewer, {"Cookie": cookie, "Origin": ORIGIN}, {"Cookie": cookie, "Sec-Fetch-Site": "same-origin"}):
        stream = WebSocket(fields)
        assert stream.message()["role"] == "viewer"
        stream.close()


def test_stream_breakers(rig: Rig) -> None:
    """Too large, not text, not masked, too many: the stream ends with its code, and nobody else notices."""
    _, by_role = guarded(rig)
    viewer = bearer(by_role["viewer"])
    other = WebSocket(viewer)
    for code, opcode, payload in ((1009, access.TEXT, b"x" * 5000), (1003, access.BINARY, b"x"),
                                  (1007, access.TEXT, b"\xff\xff"), (1002, 3, b"x")):
        stream = WebSocket(viewer)
        stream.send(opcode, payload)
        assert stream.closed() == code
        stream.close()
    stream = WebSocket(viewer)
    stream.sock.sendall(b"\x81\x01x")
    assert stream.closed() == 1002
    stream.close()
    stream = WebSocket(viewer)
    for _ in range(100):
        stream.send(access.TEXT, b"{}")
    assert stream.closed() == 1008
    stream.close()
    assert other.message()["type"] == "hello"
    assert other.message()["type"] in ("tick", "event")
    other.close()


def test_stream_ends_with_its_token(rig: Rig) -> None:
    """A removed token ends its streams with 4401 within seconds; a stopped control says 1001."""
    tokens, by_role = guarded(rig)
    gone = tokens.add("gone", "viewer")
    await_true(lambda: ask("GET", STATUS, bearer(gone)).status == 200, 3, "the token counts")
    streams = [WebSocket(bearer(gone)), WebSocket({"Cookie": log_in(gone), "Origin": ORIGIN})]
    stays = WebSocket(bearer(by_role["viewer"]))
    tokens.remove("gone")
    begun = time.monotonic()
    assert [stream.closed() for stream in streams] == [4401, 4401]
    assert time.monotonic() - begun < 5
    assert stays.message()["type"] == "hello"
    rig.programs.stop(CONTROL)
    assert stays.closed() == 1001


def test_a_hundred_streams(rig: Rig) -> None:
    """A hundred pages from one address, over TLS: each gets its ticks, and the API answers as ever."""
    base = make_certificate(rig, "admin-one")
    _, by_role = guarded(rig, tls={"certificate": f"{base}.crt", "key": f"{base}.key"})
    viewer, tls = bearer(by_role["viewer"]), trust(rig)
    streams = []
    for _ in range(100):
        assert ask("GET", "/", tls=tls).status == 200
        streams.append(WebSocket(viewer, tls=tls))
    for stream in streams:
        assert stream.message()["type"] == "hello"
    for stream in streams:
        ticks = 0
        while ticks < 2:
            ticks += stream.message()["type"] == "tick"
    assert ask("GET", STATUS, viewer, tls=tls).status == 200
    for stream in streams:
        stream.close()
