"""The issuing key in a token: SoftHSM. Certificates, OCSP answers and CRLs are
judged by openssl."""

import contextlib
import os
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor

from harness import Ca, Skip, run, sanitized, serial, wait_for
from softhsm import PIN, Token
from test_authority_keys import found
from test_est import early, renew

KEYS = re.compile(r"^keys:\n(?:[ ]+.*\n|\n)+", re.M)


class HsmCa(Ca):
    """Ca whose issuing key was moved into a token."""

    def __init__(self, build, token, options="", pin="hsm.pin", kind=None,
                 **kw):
        super().__init__(build, **kw)
        self.token_there = token
        if kind:
            found(self, "p384", kind)
        key = os.path.join(self.home, "keys", "issuing.key")
        self.owner = os.stat(key)
        p = run("softhsm2-util", "--import", key, "--token", token.label,
                "--label", "issuing", "--id", "01", "--pin", PIN, check=False)
        if p.returncode != 0:
            raise Skip(f"SoftHSM here takes no key of type {kind}")
        token.give()
        os.unlink(key)
        self.pin_path = os.path.join(self.home, "keys", "hsm.pin")
        self.write_pin(PIN + "\n")
        with open(self.conf) as f:
            text = f.read()
        text, n = KEYS.subn(
            "keys:\n  issuing:\n"
            '    uri: "pkcs11:token=mica;object=issuing"\n'
            f"    module: {token.module}\n    pin: {pin}\n{options}\n", text)
        assert n == 1, text
        with open(self.conf, "w") as f:
            f.write(text)

    def write_pin(self, pin):
        with open(self.pin_path, "w") as f:
            f.write(pin)
        os.chmod(self.pin_path, 0o600)
        os.chown(self.pin_path, self.owner.st_uid, self.owner.st_gid)

    def lines(self, event):
        return [x for x in self.log().splitlines() if f" {event} " in x]


@contextlib.contextmanager
def hsm_ca(build, **kw):
    with Token() as token, HsmCa(build, token, **kw) as c:
        yield c.start()


def issuing(c):
    return os.path.join(c.home, "ca", "issuing.pem")


def crl_text(c):
    """The CRL that is published, verified by openssl."""
    path = c.path("crl")
    with open(path, "wb") as f:
        f.write(c.curl(f"http://127.0.0.1:{c.http}/crl/factory.crl").body)
    p = run("openssl", "crl", "-inform", "DER", "-in", path, "-CAfile",
            issuing(c), "-noout", "-text")
    assert "verify OK" in p.stderr, p.stderr
    return p.stdout


def check_ocsp(c, pem, status):
    p = run("openssl", "ocsp", "-issuer", issuing(c), "-cert", pem, "-url",
            f"http://127.0.0.1:{c.http}/ocsp", "-CAfile", c.root,
            "-verify_other", issuing(c))
    assert "Response verify OK" in p.stderr, p.stderr
    assert f": {status}" in p.stdout, p.stdout


def test_daemon_lives_with_its_issuing_key_in_a_token(build):
    with hsm_ca(build, edit=early) as c:
        key, pem = c.device("dev-1")
        c.verify(pem)
        check_ocsp(c, pem, "good")
        _, b64 = c.csr("dev-1n", "/CN=dev-1/O=Example")
        new = c.cert_of(renew(c, key, pem, b64), "dev-1n")
        c.verify(new)
        c.mica("revoke", "--file", pem)
        check_ocsp(c, pem, "revoked")
        c.mica("crl", "generate")
        assert serial(pem).upper() in crl_text(c)
        m = c.metrics()
        assert m["mica_hsm_sessions_open"] == 8, m
        assert m["mica_hsm_signatures_total"] >= 4, m
        assert m["mica_hsm_bad_signatures_total"] == 0, m
        key = c.json("status")["authorities"][0]["key"]
        assert key == {"name": "issuing", "in": "token",
                       "uri": "pkcs11:token=mica;object=issuing"}, key


def test_each_type_of_key_issues_from_a_token(build):
    for kind, options in (("p384", ""), ("ed25519", ""), ("rsa2048", ""),
                          ("rsa2048", "    padding: pss\n")):
        with Token() as token, HsmCa(build, token, kind=kind,
                                     options=options) as c:
            if kind == "ed25519" and sanitized(build):
                continue  # SoftHSM leaks at each of these signatures
            c.start()
            _, pem = c.device("dev-" + kind)
            c.verify(pem)
            text = run("openssl", "x509", "-in", pem, "-noout",
                       "-text").stdout
            assert ("rsassaPss" in text) == bool(options), text
            check_ocsp(c, pem, "good")
            c.mica("crl", "generate")
            crl_text(c)


def test_pin_is_a_credential_that_root_alone_reads(build):
    with Token() as token, HsmCa(build, token,
                                 pin="credential:hsm-pin") as c:
        folder = c.path("credentials")
        os.mkdir(folder, 0o700)
        with open(os.path.join(folder, "hsm-pin"), "w") as f:
            f.write(PIN + "\n")
        os.chmod(os.path.join(folder, "hsm-pin"), 0o400)
        os.unlink(c.pin_path)
        os.environ.pop("CREDENTIALS_DIRECTORY", None)
        c.start(ready=False)
        assert c.process.wait(20) == 1
        assert "LoadCredential=hsm-pin:FILE" in c.log(), c.log()
        os.environ["CREDENTIALS_DIRECTORY"] = folder
        try:
            c.start()
        finally:
            del os.environ["CREDENTIALS_DIRECTORY"]
        os.kill(c.pids("signer")[0], signal.SIGKILL)
        c.verify(c.device("dev-1")[1])
        assert PIN not in c.log()
        for pid in c.pids(""):
            with open(f"/proc/{pid}/cmdline") as f:
                assert PIN not in f.read()


def test_pin_that_is_wrong_is_tried_once(build):
    with Token() as token, HsmCa(build, token) as c:
        c.write_pin("wrong\n")
        c.start(ready=False)
        assert c.process.wait(20) == 8
        c.process = None
        assert c.log().count("CKR_PIN_INCORRECT") == 1, c.log()
        c.write_pin(PIN)  # without a newline, too
        c.start()
        c.device("dev-1")
        # A signer that comes later meets another PIN: one newline at the end
        # is not the PIN's, and the one before is.
        c.write_pin(PIN + "\n\n")
        os.kill(c.pids("signer")[0], signal.SIGKILL)
        wait_for("the end", lambda: c.lines("process.stays_down"))
        time.sleep(2)
        assert c.log().count("CKR_PIN_INCORRECT") == 2, c.log()
        assert not c.pids("signer")
        url = f"http://127.0.0.1:{c.prom}/readyz"
        assert c.curl(url).status == 503, c.curl(url).text()
        # The operator says when it is worth another try.
        c.write_pin(PIN)
        c.process.send_signal(signal.SIGHUP)
        wait_for("readyz", lambda: c.curl(url).status == 200)
        c.verify(c.device("dev-2")[1])


def test_token_that_goes_away_and_comes_back_loses_nothing(build):
    with hsm_ca(build) as c:
        _, pem = c.device("dev-1")
        away = c.token_there.tokens + ".away"
        # SoftHSM's folder of the token; then that of all of them.
        os.rename(c.token_there.tokens, away)
        key, b64 = c.csr("dev-2", "/CN=dev-2")
        token = c.token("dev-2")
        signer = c.pids("signer")
        with ThreadPoolExecutor() as pool:
            waits = pool.submit(c.enroll, b64, "-u", f"dev-2:{token}")
            wait_for("the loss", lambda: c.lines("signer.token_away"))
            check_ocsp(c, pem, "good")  # by a key that is no token's
            url = f"http://127.0.0.1:{c.prom}/readyz"
            wait_for("readyz", lambda: "token mica" in c.curl(url).text())
            assert c.curl(url).status == 200, c.curl(url).text()
            assert c.json("status")["away"][0]["keys"] == "issuing"
            assert c.metrics()["mica_hsm_tokens_away"] == 1
            assert not waits.done()
            os.rename(away, c.token_there.tokens)
            c.verify(c.cert_of(waits.result(), "dev-2"))
        assert c.lines("signer.token_back")
        assert c.json("status")["away"] == []
        assert c.pids("signer") == signer
        assert c.json("device", "show", "dev-2")
