"""OCSP judged by clients of Node.js, which npm brings into a temporary
folder as tests/tools/npm/package-lock.json pins them."""

import os
import re
import shutil

from harness import Ca, Skip, ca, need, run
from test_authority_keys import found
from test_ocsp import issuing, with_ocsp

TOOLS = os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "tools", "npm")


def with_urls(text):
    """Certificates say where their authority's is: easy-ocsp fetches it."""
    port = re.search(r"http: \{ address: \"127.0.0.1:(\d+)\"", text).group(1)
    return text + f"publish: {{ url: \"http://127.0.0.1:{port}\" }}\n"


def clients(c):
    """The folder that has them."""
    if not os.environ.get("MICA_TEST_CI"):
        raise Skip("runs under ./check --ci")
    need("node", "npm")
    folder = c.path("npm")
    shutil.copytree(TOOLS, folder)
    run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts",
        "--cache", c.path("npm-cache"), cwd=folder, timeout=300)
    return folder


def never_issued(c):
    """A certificate by the authority's key that is not on record."""
    key, _ = c.csr("stray", "/CN=stray")
    csr, pem, ext = c.path("stray.pem.csr"), c.path("stray.pem"), c.path("ext")
    run("openssl", "req", "-inform", "DER", "-in", c.path("stray.csr"),
        "-out", csr)
    with open(ext, "w") as f:
        f.write(f"authorityInfoAccess=OCSP;URI:http://127.0.0.1:{c.http}"
                f"/ocsp,caIssuers;URI:http://127.0.0.1:{c.http}/ca/"
                "factory.cer\nauthorityKeyIdentifier=keyid\n")
    run("openssl", "x509", "-req", "-in", csr, "-CA", issuing(c), "-CAkey",
        os.path.join(c.home, "keys", "issuing.key"), "-set_serial",
        "0x1234567890", "-days", "1", "-extfile", ext, "-out", pem)
    return pem


def three(c):
    _, good = c.device("good")
    _, bad = c.device("bad")
    c.mica("revoke", "--file", bad, "--reason", "keyCompromise")
    return good, bad, never_issued(c)


def test_easy_ocsp_gets_good_revoked_unknown(build):
    with ca(build, edit=with_urls) as c:
        folder = clients(c)
        wants = ("good -", "revoked 1", "unknown -")
        for pem, want in zip(three(c), wants):
            out = run("node", "easy-ocsp.mjs", pem, cwd=folder)
            assert out.stdout.splitlines() == [want, want], out.stdout


def test_ocsp_gets_good_revoked_unknown(build):
    """It verifies RSA alone."""
    with Ca(build, edit=lambda t: with_ocsp(t, "key: ca")) as c:
        folder = clients(c)
        found(c, "p256", "rsa2048")
        c.start()
        wants = ("good", "OCSP Status: revoked", "OCSP Status: unknown")
        for pem, want in zip(three(c), wants):
            out = run("node", "ocsp.js", pem, issuing(c), cwd=folder)
            assert out.stdout.strip() == want, out.stdout + out.stderr
