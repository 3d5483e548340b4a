#!/usr/bin/python3
"""Certificates for tests, by OpenSSL's command line: make_certs.py FOLDER

NAME.pem and NAME.key, P-256. ca.pem vouches for all but stranger.pem, which other-ca.pem vouches
for; second.pem has an authority between, and holds it."""

import subprocess
import sys
from pathlib import Path

CONFIG = """
[ca]
default_ca = own
[own]
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
[any]
organizationName = optional
commonName = supplied
[req]
distinguished_name = none
[none]
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
"""
SERVER = "DNS:localhost,DNS:*.test.google.fr,IP:127.0.0.1,IP:::1"
CLIENT = "URI:spiffe://example/alice,email:alice@example.com,DNS:alice.example"
# Name, issuer, subject, alternative names, extended usage, from and to (UTC).
CERTIFICATES = (
    ("middle", "ca", "/O=weir/CN=test middle", None, None, "20200101000000Z", "20500101000000Z"),
    ("server", "ca", "/O=weir/CN=server", SERVER, "serverAuth", "20200101000000Z", "20500101000000Z"),
    ("renewed", "ca", "/O=weir/CN=renewed", SERVER, "serverAuth", "20200101000000Z", "20500101000000Z"),
    ("second", "middle", "/O=weir/CN=second", "DNS:second.example,DNS:*.second.example", "serverAuth",
     "20200101000000Z", "20500101000000Z"),
    ("expired", "ca", "/O=weir/CN=expired", SERVER, "serverAuth", "20200101000000Z", "20210101000000Z"),
    ("future", "ca", "/O=weir/CN=future", SERVER, "serverAuth", "20400101000000Z", "20490101000000Z"),
    ("alice", "ca", "/O=weir/CN=alice", CLIENT, "clientAuth", "20200101000000Z", "20500101000000Z"),
    ("stranger", "other-ca", "/O=weir/CN=stranger", CLIENT, "clientAuth", "20200101000000Z",
     "20500101000000Z"),
)


def openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"openssl {' '.join(map(str, arguments))}\n{done.stderr}")


def new_key(folder, name):
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", folder / f"{name}.key")


def new_authority(folder, name):
    new_key(folder, name)
    openssl("req", "-x509", "-new", "-config", folder / "config", "-extensions", "authority", "-days", 9000,
            "-subj", f"/O=weir/CN=test {name}", "-key", folder / f"{name}.key", "-out", folder / f"{name}.pem")


def new_certificate(folder, name, issuer, subject, names, usage, begin, end):
    new_key(folder, name)
    request = folder / f"{name}.csr"
    openssl("req", "-new", "-config", folder / "config", "-subj", subject, "-key", folder / f"{name}.key",
            "-out", request)
    extensions = folder / f"{name}.ext"
    extensions.write_text(f"subjectAltName={names}\nextendedKeyUsage={usage}\nbasicConstraints=CA:FALSE\n"
                          if names else "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n",
                          encoding="utf-8")
    openssl("ca", "-batch", "-notext", "-config", folder / "config", "-cert", folder / f"{issuer}.pem",
            "-keyfile", folder / f"{issuer}.key", "-extfile", extensions, "-startdate", begin, "-enddate", end,
            "-in", request, "-out", folder / f"{name}.pem")


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config").write_text(CONFIG.format(folder=folder), encoding="utf-8")
    (folder / "index.txt").write_text("", encoding="utf-8")
    for name in ("ca", "other-ca"):
        new_authority(folder, name)
    for row in CERTIFICATES:
        new_certificate(folder, *row)
    with (folder / "second.pem").open("a", encoding="utf-8") as second:
        second.write((folder / "middle.pem").read_text(encoding="utf-8"))
    (folder / "stamp").write_text("", encoding="utf-8")


main()
