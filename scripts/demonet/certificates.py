"""Certificates of the demo, made with openssl: one authority and what it signs."""

from __future__ import annotations

import ipaddress
import os
import subprocess


def _openssl(*argv: str) -> None:
    subprocess.run(("openssl", *argv), check=True, capture_output=True)


def _alternative(name: str) -> str:
    try:
        return f"IP:{ipaddress.ip_address(name)}"
    except ValueError:
        return f"DNS:{name}"


def make_authority(directory: str) -> None:
    """ca.pem and ca.key in a directory that is made if need be."""
    os.makedirs(directory, mode=0o700, exist_ok=True)
    _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650",
             "-subj", "/O=pointsman demo/CN=pointsman demo CA", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
             "-keyout", f"{directory}/ca.key", "-out", f"{directory}/ca.pem")


def make_certificate(directory: str, stem: str, subject: str, hosts: tuple[str, ...]) -> str:
    """A certificate for host names and addresses, signed by our authority; returns the file that holds key and
    certificate."""
    base = f"{directory}/{stem}"
    with open(f"{base}.ext", "w", encoding="ascii") as extension:
        extension.write("subjectAltName=" + ",".join(_alternative(host) for host in hosts) + "\n")
    _openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject,
             "-keyout", f"{base}.key", "-out", f"{base}.csr")
    _openssl("x509", "-req", "-days", "3650", "-in", f"{base}.csr", "-CA", f"{directory}/ca.pem",
             "-CAkey", f"{directory}/ca.key", "-CAcreateserial", "-extfile", f"{base}.ext", "-out", f"{base}.crt")
    with open(f"{base}.pem", "w", encoding="ascii") as both:
        for part in ("crt", "key"):
            with open(f"{base}.{part}", encoding="ascii") as source:
                both.write(source.read())
    return f"{base}.pem"
