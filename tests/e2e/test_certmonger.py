"""certmonger as a whole, by its session daemon: it makes the messages that
scep-submit carries in test_scep."""

import os
import signal
import subprocess

from harness import Skip, need, serial, subject, wait_for
from test_scep import Scep


class Session:
    """A bus and certmonger on it, both with a home below the test's."""

    def __init__(self, c):
        self.c = c
        self.env = dict(os.environ, HOME=c.path("home"))
        os.mkdir(self.env["HOME"])

    def __enter__(self):
        out = self.c.path("bus")
        with open(out, "w") as f:
            self.bus = subprocess.Popen(
                ["dbus-daemon", "--session", "--nofork", "--print-address"],
                env=self.env, stdout=f, stderr=subprocess.DEVNULL)

        def address():
            with open(out) as f:
                return f.read().strip()
        self.env["DBUS_SESSION_BUS_ADDRESS"] = wait_for("the bus", address)
        self.monger = subprocess.Popen(
            ["/usr/lib/certmonger/certmonger-session", "-f", "-n"],
            env=self.env, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        return self

    def __exit__(self, *_):
        for p in (self.monger, self.bus):
            p.send_signal(signal.SIGTERM)
            p.wait(20)

    def getcert(self, op, *argv, check=True):
        return subprocess.run(["getcert", op, "-s", *argv], env=self.env,
                              capture_output=True, text=True, timeout=60,
                              check=check).stdout

    def wait(self, status):
        wait_for(status, lambda: f"status: {status}\n" in
                 self.getcert("list", check=False), 60)


def test_certmonger_enrols_renews_and_polls(build):
    if not os.environ.get("MICA_TEST_CI"):
        raise Skip("runs under ./check --ci")
    need("getcert", "dbus-daemon", "/usr/lib/certmonger/certmonger-session")
    with Scep(build) as c:
        with open(c.conf) as f:
            text = f.read()
        with open(c.conf, "w") as f:
            f.write(text.replace(
                "  scep:\n", "  scep:\n    - { label: asked, authority: "
                "factory, profile: router, approve: manual }\n", 1))
        c.up()
        url = f"http://127.0.0.1:{c.http}/scep"
        with Session(c) as s:
            wait_for("certmonger", lambda: "mica" in s.getcert(
                "add-scep-ca", "-c", "mica", "-u", url, "-R", c.root,
                check=False) or "mica" in s.getcert("list-cas", check=False))
            pem = c.path("device.pem")
            s.getcert("request", "-c", "mica", "-I", "one", "-k",
                      c.path("device.key"), "-f", pem, "-N", "CN=router-1",
                      "-L", c.router_token("router-1"), "-g", "2048")
            s.wait("MONITORING")
            assert subject(pem) == "CN=router-1"
            c.verify(pem)
            before = serial(pem)
            s.getcert("rekey", "-i", "one", "-w")
            s.wait("MONITORING")
            assert serial(pem) != before
            c.verify(pem)
            s.getcert("stop-tracking", "-i", "one")
            # an operator decides
            s.getcert("add-scep-ca", "-c", "asked", "-u", url + "/asked",
                      "-R", c.root)
            pem = c.path("other.pem")
            s.getcert("request", "-c", "asked", "-I", "two", "-k",
                      c.path("other.key"), "-f", pem, "-N", "CN=router-2",
                      "-L", c.router_token("router-2"), "-g", "2048")
            s.wait("CA_WORKING")
            c.mica("request", "approve", "1")
            s.getcert("refresh", "-i", "two")
            s.wait("MONITORING")
            assert subject(pem) == "CN=router-2"
            c.verify(pem)
