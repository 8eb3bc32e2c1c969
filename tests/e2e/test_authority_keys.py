"""Authorities with each type of key that a ceremony makes, issuing for devices
with each type of key. Judged by openssl, certtool and pki."""

import os

from harness import Ca, need, run
from test_est import early, renew

AUTHORITIES = {  # root, issuing authority, how openssl names its signatures
    "p384": ("p384", "ecdsa-with-SHA384"),
    "ed25519": ("ed25519", "ED25519"),
    "rsa2048": ("p256", "sha256WithRSAEncryption"),
    "p256": ("ed25519", "ecdsa-with-SHA256"),
}
LARGE = {  # seconds to make
    "rsa3072": ("rsa4096", "sha256WithRSAEncryption"),
    "rsa4096": ("rsa2048", "sha256WithRSAEncryption"),
}
DEVICES = ("p256", "p384", "ed25519", "rsa2048")


def found(c, root, issuing):
    """The root and the issuing authority once more, with those keys."""
    ceremony = [c.bin("mica-signer"), "--ceremony"]
    key = os.path.join(c.home, "keys", "issuing.key")
    pem = os.path.join(c.home, "ca", "issuing.pem")
    root_key = c.path("root.key")
    owner = os.stat(key)
    for path in (key, pem, c.root):
        os.unlink(path)
    run(*ceremony, "make-key", "--out", root_key, "--type", root)
    run(*ceremony, "make-key", "--out", key, "--type", issuing)
    run(*ceremony, "root", "--key", root_key, "--subject", "CN=Root",
        "--validity", "20y", "--out", c.root)
    run(*ceremony, "authority", "--issuer-key", root_key, "--issuer-cert",
        c.root, "--key", key, "--subject", "CN=Issuing", "--validity", "10y",
        "--path-length", "0", "--out", pem)
    os.chown(key, owner.st_uid, owner.st_gid)


def test_each_type_of_authority_issues_for_each_type_of_device(build):
    need("certtool", "pki")
    large = LARGE if os.environ.get("MICA_TEST_CI") else {}
    for issuing, (root, algorithm) in {**AUTHORITIES, **large}.items():
        with Ca(build) as c:
            found(c, root, issuing)
            c.start()
            chain = c.path("chain.pem")
            for kind in DEVICES:
                _, pem = c.device("dev-" + kind, kind)
                c.verify(pem)
                text = run("openssl", "x509", "-in", pem, "-noout",
                           "-text").stdout
                assert text.count("Signature Algorithm: " + algorithm) == 2
                with open(chain, "w") as f:
                    for p in (pem, os.path.join(c.home, "ca", "issuing.pem")):
                        f.write(open(p).read())
                run("certtool", "--verify", "--load-ca-certificate", c.root,
                    "--infile", chain)
            # Both versions of TLS under that chain, the renewal by our own.
            for version in ("1.2", "1.3"):
                a = c.curl(c.url("cacerts"), "--tlsv" + version, "--tls-max",
                           version)
                assert a.status == 200, a.text()
            run("pki", "--verify", "--in", pem, "--cacert", c.root,
                "--cacert", os.path.join(c.home, "ca", "issuing.pem"))


def test_each_type_of_device_key_renews_into_each_other(build):
    with Ca(build, edit=early) as c:
        found(c, "p384", "p384")
        c.start()
        old = c.device("dev", "rsa2048")
        for i, kind in enumerate(("ed25519", "p384", "rsa2048", "p256")):
            key, b64 = c.csr(f"new-{i}", "/CN=dev/O=Example", kind)
            # A client certificate of Ed25519 or RSA in TLS, too.
            a = renew(c, *old, b64)
            old = (key, c.cert_of(a, f"new-{i}"))
            c.verify(old[1])
