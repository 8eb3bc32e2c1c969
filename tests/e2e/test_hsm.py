"""The issuing key in a token: SoftHSM. Certificates, OCSP answers and CRLs are
judged by openssl; what stands in the token by pkcs11-tool and p11tool."""

import contextlib
import os
import re
import shutil
import signal
import time

from harness import Ca, Skip, need, run, serial, wait_for
from test_est import early, renew

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "1234-mica"
KEYS = re.compile(r"^keys:\n(?:[ ]+.*\n|\n)+", re.M)


def need_softhsm():
    need("softhsm2-util", "pkcs11-tool")
    if not os.path.exists(MODULE):
        raise Skip("SoftHSM's module is not installed")


def give(path, like):
    """To the signer's user, where it has one of its own."""
    owner = os.stat(like)
    for root, dirs, files in os.walk(path):
        for name in [root] + [os.path.join(root, f) for f in dirs + files]:
            os.chown(name, owner.st_uid, owner.st_gid)


class HsmCa(Ca):
    """Ca whose issuing key was moved into a SoftHSM token."""

    def __init__(self, build, pin="hsm.pin", options="", edit=None, **kw):
        need_softhsm()
        super().__init__(build, edit=edit, **kw)
        self.keys = os.path.join(self.home, "keys")
        self.tokens = os.path.join(self.dir, "tokens")
        self.softhsm = os.path.join(self.dir, "softhsm2.conf")
        os.mkdir(self.tokens, 0o700)
        with open(self.softhsm, "w") as f:
            f.write(f"directories.tokendir = {self.tokens}\n"
                    "objectstore.backend = file\nlog.level = ERROR\n")
        os.environ["SOFTHSM2_CONF"] = self.softhsm
        run("softhsm2-util", "--init-token", "--free", "--label", "mica",
            "--so-pin", "12345678", "--pin", PIN)
        self.move_key()
        self.set_keys(pin, options)

    def move_key(self):
        key = os.path.join(self.keys, "issuing.key")
        run("softhsm2-util", "--import", key, "--token", "mica", "--label",
            "issuing", "--id", "01", "--pin", PIN)
        give(self.tokens, key)
        path = os.path.join(self.keys, "hsm.pin")
        with open(path, "w") as f:
            f.write(PIN + "\n")
        os.chmod(path, 0o600)
        os.chown(path, os.stat(key).st_uid, os.stat(key).st_gid)
        os.unlink(key)

    def set_keys(self, pin, options):
        with open(self.conf) as f:
            text = f.read()
        text, n = KEYS.subn(
            "keys:\n  issuing:\n"
            '    uri: "pkcs11:token=mica;object=issuing"\n'
            f"    module: {MODULE}\n    pin: {pin}\n{options}\n", text)
        assert n == 1, text
        with open(self.conf, "w") as f:
            f.write(text)

    def events(self, name):
        return [line for line in self.log().splitlines()
                if f" {name} " in line + " "]


@contextlib.contextmanager
def hsm_ca(build, **kw):
    with HsmCa(build, **kw) as c:
        yield c.start()


def check_crl(c):
    crl = c.path("crl.pem")
    p = run("openssl", "crl", "-inform", "DER", "-in", published(c), "-CAfile",
            os.path.join(c.home, "ca", "issuing.pem"), "-out", crl)
    assert "verify OK" in p.stderr, p.stderr
    return run("openssl", "crl", "-in", crl, "-noout", "-text").stdout


def published(c):
    found = []
    for root, _, files in os.walk(c.home):
        found += [os.path.join(root, f) for f in files if f.endswith(".crl")]
    return max(found, key=os.path.getmtime)


def check_ocsp(c, pem, status):
    issuing = os.path.join(c.home, "ca", "issuing.pem")
    p = run("openssl", "ocsp", "-issuer", issuing, "-cert", pem, "-url",
            f"http://127.0.0.1:{c.http}/ocsp", "-CAfile", c.root,
            "-verify_other", issuing)
    assert "Response verify OK" in p.stderr, p.stderr
    assert f": {status}" in p.stdout, p.stdout


def test_daemon_lives_with_its_issuing_key_in_a_token(build):
    with hsm_ca(build, edit=early) as c:
        key, pem = c.device("dev-1")
        c.verify(pem)
        check_ocsp(c, pem, "good")
        new_key, b64 = c.csr("dev-1n", "/CN=dev-1/O=Example")
        new = c.cert_of(renew(c, key, pem, b64), "dev-1n")
        c.verify(new)
        number = serial(pem)
        c.mica("revoke", "--file", pem)
        check_ocsp(c, pem, "revoked")
        wait_for("the CRL", lambda: number.upper() in check_crl(c), 90)
        m = c.metrics()
        assert m["mica_hsm_signatures_total"] >= 3, m
        assert m["mica_hsm_bad_signatures_total"] == 0, m
