"""The web page over HTTPS in headless Chromium: the session's cookie, the stream, and the end of both."""

from __future__ import annotations

import base64
import hashlib
import subprocess

import access
from browser import Browser
from demonet.supervisor import await_true
from rig import Rig
from test_access import make_certificate, trust
from test_page import loaded, reach, secret, ticking, write_tokens

# Opens a stream as the page does and gives back its address and the types of its messages, up to the second tick.
STREAM = """
const done = arguments[0], types = [];
const socket = new WebSocket(`wss://${location.host}/api/v1/stream`);
socket.onmessage = ({data}) => {
    types.push(JSON.parse(data).type);
    if (types.filter((type) => type === "tick").length === 2) done([socket.url, types]);
};
socket.onclose = ({code}) => done([socket.url, [...types, `closed ${code}`]]);
"""


def key_hash(certificate: str) -> str:
    """What Browser takes as `trust` for the key of this certificate."""
    key = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-pubkey"], capture_output=True, check=True)
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=key.stdout, capture_output=True,
                         check=True)
    return base64.b64encode(hashlib.sha256(der.stdout).digest()).decode()


def test_page_over_tls(rig: Rig) -> None:
    """The page logs in over HTTPS; no script can read the cookie, and no connection without TLS and no page of others
    gets it; figures come over wss; after the logout a copy of the cookie is worth nothing."""
    certificate = make_certificate(rig, "page")
    rig.start({"admin": {"tokens": write_tokens(rig), "loopback": "none",
                         "tls": {"certificate": f"{certificate}.crt", "key": f"{certificate}.key"}}}, wait=False)
    rig.dirty = True
    tls = trust(rig)
    bearer = access.bearer(secret("admin"))
    await_true(lambda: access.ask("GET", "/api/v1/status", bearer, tls=tls).status == 200, 20, "the API answers")
    browser = Browser(reach(rig).replace("http:", "https:"), trust=key_hash(f"{certificate}.crt"))
    rig.defer(browser.__exit__)
    await_true(lambda: loaded(browser, "overview"), 10, "the page can be reached")
    browser.log_in(secret("operator"))
    browser.wait(lambda: "test-operator" in browser.text("me") and ticking(browser), "the page of an operator")
    cookie = browser.driver.get_cookie("pointsman_session")
    assert cookie and cookie["secure"] and cookie["httpOnly"] and cookie["sameSite"] == "Strict", cookie
    assert browser.run("return document.cookie") == "", "a script can read the session"
    for _ in range(2):
        before = browser.text("clock")
        browser.wait(lambda now=before: browser.text("clock") != now, "the next figures")
    url, types = browser.driver.execute_async_script(STREAM)
    assert url.startswith("wss://") and types[0] == "hello" and types.count("tick") == 2, (url, types)
    copied = {"Cookie": f"pointsman_session={cookie['value']}"}
    assert access.ask("GET", "/api/v1/status", copied, tls=tls).status == 200
    browser.click("logout")
    browser.wait(lambda: browser.has("token"), "the login is back")
    assert browser.driver.get_cookie("pointsman_session") is None
    assert access.ask("GET", "/api/v1/status", copied, tls=tls).status == 401
    assert not browser.complaints()
