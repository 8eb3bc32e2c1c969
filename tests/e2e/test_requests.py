"""Labels where an operator approves each request: EST by curl, SCEP by the
client on libcrypto's CMS."""

import os
import re
import threading

from harness import ca, run, serial, subject, wait_for
from test_est import early
from test_scep import FAIL, Scep, der, run_bytes


def manual(text):
    """The label line1 of EST."""
    text = text.replace("enroll:\n", "enroll:\n  approve_life: 1min\n", 1)
    text, n = re.subn(r"(\{ label: line1, )", r"\1approve: manual, ", text)
    assert n == 1, text
    return early(text)


def events(c):
    return [e["event"] for e in c.json("audit", "list")["entries"]
            if e["event"].startswith("request.")]


def test_est_waits_for_an_operator_across_a_restart(build):
    with ca(build, edit=manual) as c:
        token = c.token("dev")
        key, b64 = c.csr("dev", "/CN=dev")
        ask = lambda body=b64: c.enroll(body, "-u", f"dev:{token}")
        first = ask()
        assert first.status == 202, (first.status, first.text())
        assert int(first.headers["Retry-After"]) > 0, first.headers
        assert ask().status == 202
        rows = c.json("request", "list")["requests"]
        assert [(r["id"], r["state"], r["device"]) for r in rows] == \
            [(1, "waiting", "dev")], rows
        shown = c.json("request", "show", "1")
        assert "CN=dev" in shown["subject"], shown
        assert "BEGIN CERTIFICATE REQUEST" in shown["request"]
        assert "dev" in c.mica("request", "show", "1").stdout
        wait_for("metric",
                 lambda: c.metrics()["mica_requests_waiting"] == 1)
        assert c.metrics()["mica_requests_oldest_timestamp_seconds"] > 1e9
        status = c.json("status")
        assert status["requests"]["count"] == 1, status
        assert status["requests"]["oldest"] == rows[0]["asked"], status
        about = [w for w in status["warnings"] if "mica request list" in w]
        assert len(about) == 1 and "the oldest for " in about[0], about
        assert about[0].split(", the")[0] in c.mica("status").stdout
        # its token is held: another key does not get it
        _, other = c.csr("other", "/CN=dev")
        assert ask(other).status == 400
        c.stop()
        c.start()
        assert ask().status == 202
        c.mica("request", "approve", "1")
        # now it waits for the device
        status = c.json("status")
        assert status["requests"] == {"count": 0, "oldest": None}, status
        assert "mica request list" not in str(status["warnings"]), status
        assert c.json("cert", "list", "--device", "dev")["certificates"] == []
        c.stop()
        c.start()
        assert ask(other).status == 400
        got = ask()
        pem = c.cert_of(got, "dev")
        c.verify(pem)
        assert "CN=dev" in subject(pem), subject(pem)
        assert ask().body == got.body
        assert c.json("request", "show", "1")["state"] == "issued"
        assert events(c) == ["request.wait", "request.approve",
                             "request.issue"], events(c)
        p = c.mica("request", "deny", "1", check=False)
        assert p.returncode == 1 and "closed" in p.stderr, p.stderr
        # renewal waits, too
        _, renewed = c.csr("dev2", "/CN=dev")
        again = c.enroll(renewed, "--cert", pem, "--key", key,
                         op="simplereenroll")
        assert again.status == 202, again.text()
        c.stop()
        run(c.bin("mica"), "--config", c.conf, "store", "check")


def test_est_denied(build):
    with ca(build, edit=manual) as c:
        token = c.token("dev")
        _, b64 = c.csr("dev", "/CN=dev")
        assert c.enroll(b64, "-u", f"dev:{token}").status == 202
        c.mica("request", "deny", "1")
        refused = c.enroll(b64, "-u", f"dev:{token}")
        assert refused.status == 400, refused.text()
        assert "operator" in refused.text(), refused.text()
        assert c.json("request", "list")["requests"] == []
        # the token is free for a better request
        _, other = c.csr("other", "/CN=dev")
        assert c.enroll(other, "-u", f"dev:{token}").status == 202
        c.mica("request", "approve", "2")
        # decided anew when it is picked up: the device is suspended
        c.mica("device", "suspend", "dev")
        got = c.enroll(other, "-u", f"dev:{token}")
        assert got.status == 400, got.text()
        assert c.json("request", "show", "2")["state"] == "approved"


def test_requests_run_out(build):
    with ca(build, edit=manual) as c:
        token = c.token("dev")
        _, b64 = c.csr("dev", "/CN=dev")
        assert c.enroll(b64, "-u", f"dev:{token}").status == 202
        c.stop()
        c.clock_shift = 70
        c.start()
        p = c.mica("request", "approve", "1", check=False)
        assert p.returncode == 1, p.stdout
        wait_for("expiry", lambda: "request.expired" in c.log())
        assert c.json("request", "show", "1")["state"] == "expired"
        assert c.enroll(b64, "-u", f"dev:{token}").status == 202
        assert c.json("request", "list")["requests"][0]["id"] == 2


def test_of_two_operators_one_decides(build):
    with ca(build, edit=manual) as c:
        token = c.token("dev")
        _, b64 = c.csr("dev", "/CN=dev")
        assert c.enroll(b64, "-u", f"dev:{token}").status == 202
        verbs = ["approve", "deny"] * 3
        said = [None] * len(verbs)

        def decide(i):
            said[i] = c.mica("request", verbs[i], "1",
                             check=False).returncode
        threads = [threading.Thread(target=decide, args=(i,))
                   for i in range(len(verbs))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        # A denial stands, whoever came first; an approval cannot undo it.
        assert c.json("request", "show", "1")["state"] == "denied", said
        assert c.enroll(b64, "-u", f"dev:{token}").status == 400
        trail = events(c)
        assert trail[0] == "request.wait" and trail[-1] == "request.deny"
        assert trail.count("request.deny") == 1, trail
        assert trail.count("request.approve") <= 1, trail


# --- SCEP

class Manual(Scep):
    """Its label without a name is manual."""

    def __init__(self, build, more=""):
        super().__init__(build, more)
        with open(self.conf) as f:
            text = f.read()
        with open(self.conf, "w") as f:
            f.write(text.replace(
                "    - { authority: factory, profile: router }\n",
                "    - { authority: factory, profile: router,\n"
                "        approve: manual }\n").replace(
                    "enroll:\n", "enroll:\n  approve_life: 1min\n", 1))

    def poll_content(self, cert, issuer=None):
        """IssuerAndSubject of the request."""
        path = self.path("poll.der")
        with open(path, "wb") as f:
            f.write(der(0x30, self.name_of(issuer or self.ca_pem) +
                        self.name_of(cert)))
        return path

    def poll(self, key, cert, transaction, name, issuer=None):
        """CertPoll"""
        return self.read(self.post(self.message(
            self.poll_content(cert, issuer), key, cert, kind="20",
            transaction=transaction)), key, cert)

    def name_of(self, pem):
        """The subject Name, DER."""
        raw = run_bytes("openssl", "x509", "-in", pem, "-outform", "DER",
                        stdin=b"")
        lines = run_bytes("openssl", "asn1parse", "-inform", "DER",
                          stdin=raw).decode().splitlines()
        names = [x for x in lines if "d=2 " in x and "SEQUENCE" in x]
        part = names[3].replace("=", " ").split()
        at = int(names[3].split(":")[0])
        head, size = int(part[part.index("hl") + 1]), \
            int(part[part.index("l") + 1])
        return raw[at:at + head + size]


def holds(folder, text):
    """Does a file below say so?"""
    for where, _, files in os.walk(folder):
        for path in (os.path.join(where, name) for name in files):
            if not os.path.isfile(path):
                continue
            with open(path, "rb") as f:
                if text.encode() in f.read():
                    return True
    return False


def test_scep_is_pending_and_polled_by_who_asked(build):
    with Manual(build).up() as c:
        token = c.router_token("r1")
        key, cert = c.self_signed("r1")
        content = c.request("r1", key, token)
        ask = lambda t="one": c.read(
            c.post(c.message(content, key, cert, transaction=t)), key, cert)
        poll = lambda k=key, p=cert, t="one": c.poll(k, p, t, "r1")
        assert poll()["fail"] == FAIL["badCertId"]
        assert ask()["status"] == "3"
        assert ask()["status"] == "3"
        assert poll()["status"] == "3"
        # sscep and cryptlib name the RA as the issuer
        assert c.poll(key, cert, "one", "r1", c.ra)["status"] == "3"
        # but nobody does who did not make what he sends
        assert c.poll(key, cert, "one", "r1", cert)["fail"] == \
            FAIL["badCertId"]
        # another key, and another transaction
        stranger, own = c.self_signed("r1x")
        assert poll(stranger, own)["fail"] == FAIL["badCertId"]
        assert poll(t="two")["fail"] == FAIL["badCertId"]
        # the token is held by the request of that transaction
        assert ask("two")["status"] == "2"
        assert len(c.json("request", "list")["requests"]) == 1
        c.stop()
        assert not holds(c.home, token)
        c.start()
        assert poll()["status"] == "3"
        c.mica("request", "approve", "1")
        assert poll(stranger, own)["status"] == "2"
        got = poll()
        assert got["status"] == "0", got
        c.verify(got["pem"])
        assert serial(poll()["pem"]) == serial(got["pem"])
        assert serial(ask()["pem"]) == serial(got["pem"])
        shown = c.json("device", "show", "r1")
        assert len(shown["certificates"]) == 1, shown
        c.stop()
        run(c.bin("mica"), "--config", c.conf, "store", "check")


def test_scep_denied_and_run_out(build):
    with Manual(build).up() as c:
        token = c.router_token("r1")
        key, cert = c.self_signed("r1")
        content = c.request("r1", key, token)
        ask = lambda t: c.read(
            c.post(c.message(content, key, cert, transaction=t)), key, cert)
        assert ask("one")["status"] == "3"
        c.mica("request", "deny", "1")
        for got in (c.poll(key, cert, "one", "r1"), ask("one")):
            assert got["fail"] == FAIL["badRequest"], got
            assert "operator" in got["text"], got
        assert ask("two")["status"] == "3"
        c.stop()
        c.clock_shift = 70
        c.start()
        got = c.poll(key, cert, "two", "r1")
        assert got["status"] == "2", got
        assert ask("two")["status"] == "3"
