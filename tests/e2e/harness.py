"""What every end-to-end test stands on: a CA in a folder of its own, its
daemon on free loopback ports, and a few words for what devices do. Judges are
programs that others wrote: openssl, curl, certtool, pki."""

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request

READY_S = 30
# In the daemon's log, where it was built with sanitizers. A child that died of
# one is started again, so that a test may not notice.
SANITIZER_REPORTS = ("Sanitizer:", "runtime error:")


class Skip(Exception):
    """The test cannot run here; the text says what is missing."""


def need(*programs):
    for p in programs:
        if shutil.which(p) is None:
            raise Skip(f"{p} is not installed")


def alone(function):
    """A test that measures time: the runner lets no other run beside it."""
    function.alone = True
    return function


PORTS = range(10240, 32768)  # below those that clients are given


def free_port():
    """A port that nobody has now. Not one that the kernel picks: it gives the
    same to the next client that connects. SO_REUSEPORT listeners of ours would
    share one silently, but not with this socket."""
    while True:
        port = random.SystemRandom().choice(PORTS)
        with contextlib.suppress(OSError), socket.socket() as s:
            s.bind(("127.0.0.1", port))
            return port


def run(*argv, check=True, stdin=None, env=None, timeout=60, cwd=None):
    """Run a program; its output as text. A wrong exit status is an error that
    shows everything it said."""
    p = subprocess.run(
        [str(a) for a in argv], input=stdin, capture_output=True, text=True,
        errors="replace", env=env, timeout=timeout, cwd=cwd,
        stdin=subprocess.DEVNULL if stdin is None else None)
    if check and p.returncode != 0:
        raise AssertionError(
            f"{' '.join(str(a) for a in argv)}: exit {p.returncode}\n"
            f"{p.stdout}{p.stderr}")
    return p


def wait_for(what, predicate, seconds=READY_S):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = predicate()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what} did not happen within {seconds} s")


class Answer:
    """What curl brought back."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def text(self):
        return self.body.decode(errors="replace")


class Ca:
    """mica init in a temporary folder; start() runs the daemon. Use as a
    context manager: the daemon is ended by its pid and the folder removed."""

    def __init__(self, build, edit=None, init=()):
        self.build = build
        self.dir = tempfile.mkdtemp(prefix="mica-e2e.")
        # Started as root, the keeper looks around here as another user.
        os.chmod(self.dir, 0o755)
        self.home = os.path.join(self.dir, "ca")
        self.conf = os.path.join(self.home, "mica.yaml")
        self.est, self.http, self.prom = free_port(), free_port(), free_port()
        self.process = None
        self.log_path = os.path.join(self.dir, "log")
        self.clock_shift = 0
        self.clock_path = None
        self.under = []  # a program that starts the daemon
        run(self.bin("mica"), "init", self.home,
            "--est", f"127.0.0.1:{self.est}",
            "--http", f"127.0.0.1:{self.http}",
            "--metrics", f"127.0.0.1:{self.prom}", *init)
        if edit:
            with open(self.conf) as f:
                text = f.read()
            with open(self.conf, "w") as f:
                f.write(edit(text))
        self.root = os.path.join(self.home, "ca", "root.pem")

    def bin(self, name):
        return os.path.join(self.build, name)

    def path(self, name):
        return os.path.join(self.dir, name)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        try:
            self.stop()
            log = self.log() if os.path.exists(self.log_path) else ""
            if kind is None:
                for word in SANITIZER_REPORTS:
                    assert word not in log, log[-20000:]
            elif kind is not Skip:
                sys.stdout.write("".join(log.splitlines(True)[-40:]))
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)

    # --- the daemon
    def start(self, ready=True):
        env = dict(os.environ)
        if self.clock_shift:
            env["MICA_CLOCK_SHIFT_S"] = str(self.clock_shift)
        if self.clock_path:
            env["MICA_CLOCK_FILE"] = self.clock_path
        log = open(self.log_path, "a")
        self.process = subprocess.Popen(
            [*self.under, self.bin("micad"), "-c", self.conf], stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, env=env)
        log.close()
        if ready:
            self.wait_ready()
        return self

    def jump(self, seconds):
        """So far from the true time, now, in all that was started since the
        first call."""
        self.clock_path = self.path("clock")
        with open(self.clock_path, "r+b" if os.path.exists(self.clock_path)
                  else "w+b") as f:
            f.write(struct.pack("@q", seconds))

    def wait_ready(self):
        def up():
            if self.process.poll() is not None:
                raise AssertionError("micad ended:\n" + self.log())
            try:
                url = f"http://127.0.0.1:{self.prom}/readyz"
                with urllib.request.urlopen(url, timeout=2) as r:
                    return r.status == 200
            except OSError:
                return False
        wait_for("readyz", up)

    def stop(self):
        if self.process is None:
            return None
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("micad did not end within 40 s of SIGTERM")
        self.process = None
        return status

    def log(self):
        with open(self.log_path) as f:
            return f.read()

    def mica(self, *argv, check=True):
        return run(self.bin("mica"), "--config", self.conf, *argv, check=check)

    def json(self, *argv):
        return json.loads(self.mica(*argv, "--json").stdout)

    def pids(self, kind):
        """Of the processes whose name starts with kind."""
        return [p["pid"] for p in self.json("status")["processes"]
                if p["name"].startswith(kind) and p["pid"]]

    def metrics(self):
        url = f"http://127.0.0.1:{self.prom}/metrics"
        out = {}
        with urllib.request.urlopen(url, timeout=5) as r:
            for line in r.read().decode().splitlines():
                if line and not line.startswith("#"):
                    name, value = line.rsplit(" ", 1)
                    out[name] = float(value)
        return out

    # --- devices
    def token(self, device, *more):
        return self.json("token", "create", "--device", device,
                         *more)["token"]

    def key(self, name, kind="p256"):
        path = self.path(name + ".key")
        options = {
            "p256": ["-algorithm", "EC", "-pkeyopt",
                     "ec_paramgen_curve:P-256"],
            "p384": ["-algorithm", "EC", "-pkeyopt",
                     "ec_paramgen_curve:P-384"],
            "ed25519": ["-algorithm", "ed25519"],
            "rsa2048": ["-algorithm", "RSA", "-pkeyopt",
                        "rsa_keygen_bits:2048"],
        }[kind]
        run("openssl", "genpkey", *options, "-out", path)
        return path

    def csr(self, name, subject, kind="p256", key=None, challenge=None,
            extensions=()):
        """A new key and a request for it: (key path, base64 body path)."""
        key = key or self.key(name, kind)
        der, b64 = self.path(name + ".csr"), self.path(name + ".b64")
        argv = ["openssl", "req", "-new", "-key", key, "-outform", "DER",
                "-out", der]
        for e in extensions:
            argv += ["-addext", e]
        if challenge is None:
            argv += ["-subj", subject]
        else:
            # With -subj, openssl leaves the attributes out.
            conf = self.path(name + ".cnf")
            with open(conf, "w") as f:
                f.write("[req]\nprompt=no\ndistinguished_name=dn\n"
                        "attributes=at\n[dn]\n" +
                        subject.strip("/").replace("/", "\n") +
                        f"\n[at]\nchallengePassword={challenge}\n")
            argv += ["-config", conf]
        run(*argv)
        run("openssl", "base64", "-in", der, "-out", b64)
        return key, b64

    def url(self, op, label="line1"):
        where = f"/{label}" if label else ""
        return (f"https://127.0.0.1:{self.est}/.well-known/est{where}/{op}")

    def curl(self, url, *more, check=True):
        """Any request; the status line, headers and body that came back."""
        head, body = self.path("head"), self.path("body")
        for f in (head, body):
            if os.path.exists(f):
                os.unlink(f)
        p = run("curl", "-sS", "--max-time", "30", "--cacert", self.root,
                "-D", head, "-o", body, *more, url, check=check)
        if p.returncode != 0:
            return Answer(0, {}, p.stderr.encode())
        with open(head) as f:
            lines = [x.rstrip("\r\n") for x in f]
        starts = [i for i, x in enumerate(lines) if x.startswith("HTTP/")]
        lines = lines[starts[-1]:]
        headers = dict(x.split(": ", 1) for x in lines[1:] if ": " in x)
        data = b""
        if os.path.exists(body):
            with open(body, "rb") as f:
                data = f.read()
        return Answer(int(lines[0].split()[1]), headers, data)

    def enroll(self, b64, *more, op="simpleenroll", label="line1"):
        return self.curl(self.url(op, label),
                         "-H", "Content-Type: application/pkcs10",
                         "-H", "Content-Transfer-Encoding: base64",
                         "--data-binary", f"@{b64}", *more)

    def cert_of(self, answer, name):
        """The PEM of the certificate in a certs-only answer."""
        assert answer.status == 200, (answer.status, answer.text())
        p7, pem = self.path(name + ".p7"), self.path(name + ".pem")
        with open(p7, "wb") as f:
            f.write(b"-----BEGIN PKCS7-----\n" +
                    b"\n".join(answer.body[i:i + 64] for i in
                               range(0, len(answer.body), 64)) +
                    b"\n-----END PKCS7-----\n")
        run("openssl", "pkcs7", "-in", p7, "-print_certs", "-out", pem)
        return pem

    def device(self, name, kind="p256", label="line1"):
        """Enrol a device by token: (key, certificate)."""
        key, b64 = self.csr(name, f"/CN={name}", kind)
        answer = self.enroll(b64, "-u", f"{name}:{self.token(name)}",
                             label=label)
        return key, self.cert_of(answer, name)

    def verify(self, pem, purpose="sslclient"):
        """openssl's judgement of a certificate of ours."""
        chain = os.path.join(self.home, "ca", "issuing.pem")
        return run("openssl", "verify", "-x509_strict", "-purpose", purpose,
                   "-CAfile", self.root, "-untrusted", chain, pem)


def subject(pem):
    return run("openssl", "x509", "-in", pem, "-noout", "-subject", "-nameopt",
               "RFC2253").stdout.strip()[len("subject="):]


def serial(pem):
    out = run("openssl", "x509", "-in", pem, "-noout", "-serial").stdout
    return out.strip()[len("serial="):].lower()


def sanitized(build):
    with open(os.path.join(build, "config.h")) as f:
        return "#define MICA_SANITIZED 1" in f.read()


@contextlib.contextmanager
def ca(build, **kw):
    with Ca(build, **kw) as c:
        yield c.start()
