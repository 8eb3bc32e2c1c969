"""The two-person rule, as far as one user can see it; tests/root/ has the other
operators."""

import os
import signal

from harness import ca, wait_for

WAITS = 4


def two(text):
    return "approvals: 2\napproval_life: 1min\n" + text


def revoke(c, *more):
    return c.mica("authority", "revoke", "factory", "--reason", "superseded",
                  *more, check=False)


def test_nobody_approves_their_own_request(build):
    with ca(build, edit=two) as c:
        p = revoke(c)
        assert p.returncode == WAITS, (p.returncode, p.stdout, p.stderr)
        assert "mica approval approve 1" in p.stderr, p.stderr
        p = c.mica("approval", "approve", "1", check=False)
        assert p.returncode == 1 and "their own" in p.stderr, p.stderr
        assert revoke(c).returncode == WAITS
        listed = c.json("approval", "list")["approvals"]
        assert [(a["id"], a["state"]) for a in listed] == \
            [(1, "pending")], listed
        assert listed[0]["asked_by"] == os.getuid()
        # What waits is not done.
        c.device("m1")
        wait_for("metric", lambda: c.metrics()["mica_approvals_open"] == 1)
        status = c.json("status")
        assert status["approvals"]["count"] == 1, status
        assert status["approvals"]["oldest"] == listed[0]["asked"], status
        assert any("mica approval list" in w and "the oldest for " in w
                   for w in status["warnings"]), status

        c.mica("approval", "deny", "1")
        p = c.mica("approval", "approve", "1", check=False)
        assert p.returncode == 1 and "closed" in p.stderr, p.stderr
        assert "denied" in c.mica("approval", "list", "--state",
                                  "closed").stdout
        assert revoke(c).returncode == WAITS
        assert c.json("approval", "list")["approvals"][0]["id"] == 2


def test_what_is_not_approved_in_time_expires(build):
    with ca(build, edit=two) as c:
        assert revoke(c).returncode == WAITS
        c.stop()
        c.clock_shift = 120
        c.start()
        wait_for("expiry", lambda: "approval.expired" in c.log())
        assert c.json("approval", "show", "1")["state"] == "expired"
        assert c.json("approval", "list")["approvals"] == []
        c.stop()
        c.clock_shift = 240
        c.start()
        wait_for("that it is forgotten",
                 lambda: 'forgotten="1"' in c.log())
        p = c.mica("approval", "show", "1", check=False)
        assert p.returncode == 1 and "no such request" in p.stderr, p.stderr
        assert revoke(c).returncode == WAITS
        assert c.json("approval", "list")["approvals"][0]["id"] == 2
        trail = [e["event"] for e in c.json("audit", "list")["entries"]
                 if e["event"].startswith("approval.")]
        assert trail == ["approval.request", "approval.expire",
                         "approval.request"], trail


def test_one_operator_is_enough_unless_the_configuration_says_two(build):
    with ca(build) as c:
        _, pem = c.device("m1")
        p = revoke(c)
        assert p.returncode == 0 and "root.crl" in p.stdout, p.stderr
        assert c.json("approval", "list")["approvals"] == []
        _, b64 = c.csr("m2", "/CN=m2")
        a = c.enroll(b64, "-u", f"m2:{c.token('m2')}")
        assert a.status == 400, (a.status, a.text())
        again = c.json("authority", "revoke", "factory", "--reason",
                       "keyCompromise")
        assert again["reason"] == "keyCompromise", again
        os.kill(c.process.pid, signal.SIGHUP)
        c.mica("crl", "generate")
        c.verify(pem)


def test_the_next_generation_waits_for_another_operator(build):
    with ca(build, edit=two) as c:
        p = c.mica("authority", "roll", "factory", check=False)
        assert p.returncode == WAITS, (p.returncode, p.stdout, p.stderr)
        assert not os.path.exists(os.path.join(c.home, "keys",
                                               "factory-2.key"))
        asked = c.json("approval", "list")["approvals"][0]
        assert (asked["action"], asked["object"]) == \
            ("key.create", "factory-2"), asked
        assert asked["parameters"]["replaces"] == "factory", asked
