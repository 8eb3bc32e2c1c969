"""SCEP's shared challenge: one secret for all devices of a label, as a legacy
option. What the authorizer makes of it is in the matrix and the unit tests."""

import os
import signal
import subprocess

from harness import Skip, need, run, serial, subject, wait_for
from test_requests import Manual
from test_scep import FAIL, Scep, run_bytes

SECRET = "correct horse battery"


class Shared(Scep):
    """Its label `shared` takes a shared challenge, and tokens."""

    more = ""

    def __init__(self, build, more="", init=()):
        super().__init__(build, more, init)
        with open(self.conf) as f:
            text = f.read()
        with open(self.conf, "w") as f:
            f.write(text.replace(
                "  scep:\n", "  scep:\n    - { label: shared, authority: "
                "factory, profile: router,\n        legacy: "
                "[shared_challenge], challenge: { file: routers }"
                f"{self.more} }}\n", 1))
        self.secret(SECRET)

    def secret(self, text, mode=0o600):
        path = os.path.join(self.home, "routers")
        with open(path, "w") as f:
            f.write(text + "\n")
        os.chmod(path, mode)

    def ask(self, name, secret=SECRET, key=None, label="shared", **kw):
        tag = f"{name}.{os.path.basename(key)}" if key else name
        key, cert = self.self_signed(tag, key)
        self.csr(tag, f"/CN={name}", key=key, challenge=secret)
        return self.read(self.post(self.message(
            self.path(tag + ".csr"), key, cert, **kw), label), key, cert)

    def hup(self):
        before = self.log().count("config.refused") + \
            self.log().count("config.warning")
        os.kill(self.process.pid, signal.SIGHUP)
        wait_for("it was read", lambda: self.log().count("config.refused") +
                 self.log().count("config.warning") > before)


class SharedManual(Shared):
    """An operator looks at who comes with it."""

    more = ", approve: manual"
    poll, poll_content = Manual.poll, Manual.poll_content
    name_of = Manual.name_of

    def post(self, message, label=""):
        return super().post(message, label or "shared")


def ci():
    if not os.environ.get("MICA_TEST_CI"):
        raise Skip("runs under ./check --ci")


def about(c):
    return [w for w in c.json("status")["warnings"] if "challenge" in w]


def test_shared_challenge_is_warned_of(build):
    with Shared(build) as c:
        p = run(c.bin("micad"), "--check-config", c.conf)
        c.start()
        warning = about(c)
        assert len(warning) == 1 and '"shared"' in warning[0], warning
        assert "no operator looks" in warning[0], warning
        for text in (c.mica("status").stdout, p.stderr):
            assert warning[0] in text, text
        log = c.log()
        assert "config.warning" in log and warning[0].split(" (")[1] in log


def test_shared_challenge_enrols_for_the_first_time(build):
    ci()
    with Shared(build).up() as c:
        got = c.ask("router-1")
        assert got["status"] == "0", got
        c.verify(got["pem"])
        shown = c.json("device", "show", "router-1")
        assert shown["anchor"] == "scep/shared", shown
        assert shown["certificates"][0]["credential"] == "shared challenge"
        begun = [e for e in c.json("audit", "list")["entries"]
                 if e["event"] == "issue.begin" and e["object"] == "router-1"]
        assert "via shared challenge of scep/shared" in begun[0]["actor"]
        assert "credential=shared:" in begun[0]["detail"], begun
        assert SECRET not in c.log() + str(begun)
        # whose name is known by a certificate is not taken over
        other = c.ask("router-1", key=c.key("other", "rsa2048"))
        assert other["fail"] == FAIL["badRequest"], other
        assert "has had a certificate" in other["text"], other
        # at no other label, not by any other text, and not over EST
        key = c.path("other.key")
        for again in (c.ask("router-2", label="old", key=key),
                      c.ask("router-2", SECRET[:-1], key),
                      c.ask("router-2", SECRET + "y", key)):
            assert again["status"] == "2", again
            assert "credential" in again["text"], again
        _, b64 = c.csr("router-2", "/CN=router-2")
        assert c.enroll(b64, "-u", f"router-2:{SECRET}").status == 401
        assert c.enroll(b64, "-u", f":{SECRET}").status == 401
        head = 'mica_scep_shared_challenge_total{label="shared",result="'
        count = {k[len(head):-2]: v for k, v in c.metrics().items()
                 if k.startswith(head)}
        assert count == {"enrolled": 1, "refused": 1, "wrong": 2}, count


def test_shared_challenge_is_read_again(build):
    ci()
    with Shared(build).up() as c:
        c.secret("another horse battery")
        c.hup()
        wait_for("the new one", lambda: c.ask(
            "router-1", "another horse battery")["status"] == "0")
        # one that others may read changes nothing
        c.secret(SECRET, 0o640)
        c.hup()
        assert "mode 0640" in c.log(), c.log()[-2000:]
        key = c.key("other", "rsa2048")
        assert c.ask("router-2", key=key)["status"] == "2"
        assert c.ask("router-2", "another horse battery",
                     key)["status"] == "0"


def test_shared_challenge_lets_a_request_wait(build):
    ci()
    with SharedManual(build).up() as c:
        assert "once an operator approves" in about(c)[0], about(c)
        key, cert = c.self_signed("router-1")
        content = c.request("router-1", key, SECRET)
        ask = lambda: c.read(c.post(c.message(
            content, key, cert, transaction="one")), key, cert)
        assert ask()["status"] == "3"
        assert c.ask("router-1", key=c.key("other", "rsa2048"))["status"] \
            == "3"
        rows = c.json("request", "list")["requests"]
        assert [r["device"] for r in rows] == ["router-1"] * 2, rows
        assert all("shared challenge" in r["requester"] for r in rows), rows
        p = c.mica("device", "show", "router-1", check=False)
        assert p.returncode == 1, p.stdout
        c.mica("request", "approve", str(rows[0]["id"]))
        c.mica("request", "approve", str(rows[1]["id"]))
        got = c.poll(key, cert, "one", "router-1")
        assert got["status"] == "0", got
        assert serial(ask()["pem"]) == serial(got["pem"])
        # the operator erred: the other one comes too late all the same
        late = c.ask("router-1", key=c.path("other.key"))
        assert late["status"] == "2", late
        c.stop()
        run(c.bin("mica"), "--config", c.conf, "store", "check")


def test_strongswan_enrols_by_a_shared_challenge(build):
    ci()
    need("pki")
    with Shared(build).up() as c:
        def pki(name, secret):
            return subprocess.run(
                ["pki", "--scep", "--url",
                 f"http://127.0.0.1:{c.http}/scep/shared", "--in",
                 c.key(name, "rsa2048"), "--dn", "CN=router-1", "--password",
                 secret, "--cacert-enc", c.ra, "--cacert-sig", c.ra,
                 "--cacert", c.ca_pem, "--cacert", c.root],
                capture_output=True, timeout=60, check=False)
        assert pki("wrong", "correct horse").returncode != 0
        good = pki("good", SECRET)
        assert good.returncode == 0, good.stderr.decode() + c.log()[-2000:]
        pem = c.path("router-1.pem")
        with open(pem, "wb") as f:
            f.write(run_bytes("openssl", "x509", "-inform", "DER",
                              stdin=good.stdout))
        assert subject(pem) == "CN=router-1"
        c.verify(pem)
        assert pki("late", SECRET).returncode != 0
        shown = c.json("device", "show", "router-1")["certificates"]
        assert len(shown) == 1, shown
