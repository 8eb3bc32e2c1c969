"""An HSM that fails, under clients that go on asking (tests/p11/fault.c): no
bad signature is released, nothing that was acknowledged is lost, no event loop
waits for the HSM, and when it is back, so are we."""

import base64
import concurrent.futures
import contextlib
import os
import queue
import random
import signal
import socket
import ssl
import threading
import time

import p11
import test_ocsp
from harness import Skip, alone, run, wait_for
from softhsm import PIN
from test_crash import Api, all_certs
from test_hsm import HsmCa, check_ocsp
from test_sign import Signing

CI = bool(os.environ.get("MICA_TEST_CI"))
OUTAGES = int(os.environ.get("MICA_E2E_OUTAGES", "100" if CI else "12"))
ENROLLERS, ASKERS, SESSIONS = 6, 2, 8
RECOVERY_S = 5
HELD_MAX_S = 0.050
HANG_S, DEAD_S = (30, 16) if CI else (6, 9)
# Each call that fails may cost the last session, and a second until the next.
USED_UP_S = 30
TRY_LATER = bytes.fromhex("30030a0103")
ENROL_PAUSE_S, OCSP_PAUSE_S = 0.05, 0.25


LIMITS = """
limits:
  est_rate_per_address: 0
  ocsp_rate_per_address: 0
  requests_per_connection: 1000000
"""


@contextlib.contextmanager
def hsm_ca(build, sessions=SESSIONS, ocsp=""):
    """A CA whose issuing key is in the token, and that; not yet started."""
    with p11.FaultToken(build) as token, HsmCa(
            build, token, options=f"    sessions: {sessions}",
            edit=lambda text: test_ocsp.with_ocsp(
                text, ocsp, extra=LIMITS)) as c:
        yield c, token


# --- clients

class Http:
    """One kept connection, with TLS or without."""

    def __init__(self, port, context=None):
        self.sock = socket.create_connection(("127.0.0.1", port), 5)
        # Longer than any hang: who waits for an answer gets one.
        self.sock.settimeout(HANG_S + 15)
        if context:
            self.sock = context.wrap_socket(self.sock,
                                            server_hostname="127.0.0.1")
        self.file = self.sock.makefile("rb")

    def close(self):
        self.file.close()
        self.sock.close()

    def post(self, path, body, *headers):
        head = [f"POST {path} HTTP/1.1", "Host: localhost",
                f"Content-Length: {len(body)}", *headers, "", ""]
        self.sock.sendall("\r\n".join(head).encode() + body)
        line = self.file.readline()
        if not line:
            raise OSError("closed")
        status, length, close = int(line.split(b" ")[1]), 0, False
        while True:
            line = self.file.readline().strip().lower()
            if not line:
                break
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
            close = close or line == b"connection: close"
        data = self.file.read(length)
        if close:
            raise OSError("closed")
        return status, data


class Client(threading.Thread):
    """Asks until told to stop; good is when an answer last was one."""

    def __init__(self, stop):
        super().__init__(daemon=True)
        self.stop, self.conn, self.good = stop, None, 0.0
        self.failed = None

    def connect(self):
        raise NotImplementedError

    def ask(self, *argv):
        """Status and body; 0 when the connection did not last."""
        try:
            if self.conn is None:
                self.conn = self.connect()
            return self.conn.post(*argv)
        except OSError:
            if self.conn is not None:
                self.conn.close()
            self.conn = None
            time.sleep(0.02)
            return 0, b""

    def run(self):
        try:
            while not self.stop.is_set():
                self.once()
        except Exception as e:  # pylint: disable=broad-except
            self.failed = e
            raise


class Enroller(Client):
    """A new device each time, over one kept connection."""

    def __init__(self, stop, c, tokens, csr):
        super().__init__(stop)
        self.c, self.tokens, self.csr = c, tokens, csr
        self.context = ssl.create_default_context(cafile=c.root)
        self.got, self.again = {}, 0

    def connect(self):
        return Http(self.c.est, self.context)

    def once(self):
        device, token = self.tokens.get()
        basic = base64.b64encode(f"{device}:{token}".encode()).decode()
        while True:
            status, body = self.ask(
                "/.well-known/est/line1/simpleenroll", self.csr,
                "Content-Type: application/pkcs10",
                f"Authorization: Basic {basic}")
            if status == 200:
                self.got[device] = body
                self.good = time.monotonic()
                time.sleep(ENROL_PAUSE_S)
                return
            assert status in (0, 500, 503), (status, body)
            self.again += 1
            if self.stop.is_set():
                return
            time.sleep(0.05)


class Asker(Client):
    """OCSP with a new nonce each time."""

    def __init__(self, stop, c, request):
        super().__init__(stop)
        self.c, self.request, self.got = c, request, []

    def connect(self):
        return Http(self.c.http)

    def once(self):
        # The nonce stands at the end (RFC 9654).
        request = self.request[:-16] + os.urandom(16)
        status, body = self.ask("/ocsp", request,
                                "Content-Type: application/ocsp-request")
        # Without a signer the answer is tryLater, which nobody signs.
        if status == 200 and body != TRY_LATER:
            self.good = time.monotonic()
            self.got.append((request, body))
        time.sleep(OCSP_PAUSE_S)


class Feeder(threading.Thread):
    """Tokens for devices, always some ahead."""

    def __init__(self, stop, api, tokens):
        super().__init__(daemon=True)
        self.stop, self.api, self.tokens, self.n = stop, api, tokens, 0

    def run(self):
        while not self.stop.is_set():
            self.n += 1
            device = f"d{self.n}"
            token = self.api.sure("POST", "/v1/tokens",
                                  {"device": device})["token"]
            while not self.stop.is_set():
                try:
                    self.tokens.put((device, token), timeout=0.2)
                    break
                except queue.Full:
                    pass


# --- what holds an event loop

class LoopWatch(threading.Thread):
    """mica_loop_held_seconds has each callback that held a loop for over 50 ms,
    by the clock. A machine that is busy does that too: a thread that could run
    waits for a core. So what the kernel says that the loops' threads waited for
    a core (schedstat) is taken off. What is left was spent waiting for
    something else, or computing."""

    PERIOD_S, SLACK = 0.25, 8

    def __init__(self, c, api):
        super().__init__(daemon=True)
        self.c, self.api, self.end = c, api, threading.Event()
        self.held, self.excused, self.blocked = 0, 0.0, []
        self.delays = {}  # of processes that ended too

    def look(self):
        """How many, how long together, and how long the loops had no core."""
        status = self.api.sure("GET", "/v1/status")
        for p in status["processes"]:
            try:
                with open(f"/proc/{p['pid']}/schedstat") as f:
                    self.delays[p["pid"]] = int(f.read().split()[1]) / 1e9
            except (OSError, KeyError):
                pass
        m = self.c.metrics()
        return (m["mica_loop_held_seconds_count"],
                m["mica_loop_held_seconds_sum"], sum(self.delays.values()))

    def run(self):
        seen = [self.look()]
        while not self.end.wait(self.PERIOD_S):
            try:
                seen.append(self.look())
            except (OSError, AssertionError):
                continue
            held = seen[-1][0] - seen[-2][0]
            took = seen[-1][1] - seen[-2][1]
            # A callback may have begun to wait before the last look.
            waited = seen[-1][2] - seen[max(0, len(seen) - self.SLACK)][2]
            self.held += held
            if took - waited > held * HELD_MAX_S:
                self.blocked.append((held, took, waited))
            else:
                self.excused += took


# --- outages: each ends what it began, and says what is to be seen of it

def a_lost_session(t, rng):
    t.want("next_lost", rng.randint(1, SESSIONS))
    wait_for("lost sessions", lambda: not t.wanted("next_lost"), USED_UP_S)


def a_failure(t, rng):
    t.want("next_failed", rng.randint(1, 20))
    wait_for("failures", lambda: not t.wanted("next_failed"), USED_UP_S)


def flipped_signatures(t, rng):
    t.want("next_flipped", rng.randint(1, 20))
    wait_for("flipped signatures",
             lambda: not t.wanted("next_flipped"), USED_UP_S)


def a_removal(t, rng):
    t.want("outage", t.wanted("outage") + 1)
    time.sleep(rng.uniform(0.1, 1))
    t.want("outage", t.wanted("outage") + 1)


def a_removal_that_nobody_saw(t, rng):
    t.want("outage", t.wanted("outage") + 2)


def few_sessions(t, rng):
    t.want("sessions_max", rng.randint(1, 3))
    t.want("outage", t.wanted("outage") + 2)
    time.sleep(rng.uniform(0.3, 1))
    t.want("sessions_max", 0)


def slowness(t, rng):
    t.want("latency_us", rng.choice((5000, 50000)))
    time.sleep(rng.uniform(0.3, 1))
    t.want("latency_us", 0)


def a_crash(t, rng):
    t.want("next_crashed", 1)
    wait_for("the crash", lambda: not t.wanted("next_crashed"), 10)


def a_dead_module(t, rng):
    t.want("dead_rv", p11.CKR_CRYPTOKI_NOT_INITIALIZED)
    time.sleep(rng.uniform(0.1, 0.5))
    t.want("dead_rv", 0)


def a_long_removal(t, rng):
    """Longer than the signer keeps a request: clients are told to come back."""
    t.want("outage", t.wanted("outage") + 1)
    time.sleep(rng.uniform(16, 20))
    t.want("outage", t.wanted("outage") + 1)


# Those that cost a process come less often: from its third death in 10 s the
# supervisor takes its time.
KINDS = [a_lost_session, a_failure, flipped_signatures, a_removal,
         a_removal_that_nobody_saw, few_sessions, slowness]
DEADLY = [a_crash, a_dead_module] + ([a_long_removal] if CI else [])
DEADLY_EVERY = 8


def plan(rng, n):
    """Each kind at least once, if there is room."""
    kinds = []
    while len(kinds) < n:
        kinds += rng.sample(KINDS, len(KINDS))
    for i, at in enumerate(range(DEADLY_EVERY // 2, n, DEADLY_EVERY)):
        kinds.insert(at, DEADLY[i % len(DEADLY)])
    return kinds[:n]


def recovered(clients, since):
    """Every client has had a good answer since then."""
    wait_for("a good answer to each client",
             lambda: all(x.good > since for x in clients) or
             any(x.failed for x in clients), RECOVERY_S)
    assert not [x.failed for x in clients if x.failed]
    return time.monotonic() - since


# --- judges

def der(data, at=0):
    """The element there: where its content begins and ends."""
    n, start = data[at + 1], at + 2
    if n & 0x80:
        start += n & 0x7f
        n = int.from_bytes(data[at + 2:start], "big")
    return start, start + n


def certificate(p7):
    """The only certificate of a certs-only message (RFC 5652 section 5.1)."""
    at, _ = der(p7)                # ContentInfo
    at, _ = der(p7, der(p7, at)[1])  # past its type: [0]
    at, _ = der(p7, at)            # SignedData
    for _ in range(3):             # version, digestAlgorithms, content
        at = der(p7, at)[1]
    at, _ = der(p7, at)            # [0] certificates
    return p7[at:der(p7, at)[1]]


def serial(cert):
    at, _ = der(cert, der(cert)[0])  # TBSCertificate
    at, end = der(cert, der(cert, at)[1])  # past its version
    return cert[at:end].hex()


def check_certs(c, got):
    """Every certificate verifies, is on record, and was made once."""
    issued, paths = {}, []
    for x in all_certs(Api(os.path.join(c.home, "admin.sock"))):
        if x["state"] == "issued" and x["device"]:
            assert x["device"] not in issued, x
            issued[x["device"]] = x["serial"]
    for device, body in got.items():
        cert = certificate(base64.b64decode(body))
        assert issued.get(device) == serial(cert), \
            f"{device} was given {serial(cert)}, on record: " \
            f"{issued.get(device)}"
        paths.append(c.path(f"{device}.got"))
        with open(paths[-1], "wb") as f:
            f.write(cert)
    for i in range(0, len(paths), 500):
        run("openssl", "verify", "-x509_strict", "-purpose", "sslclient",
            "-CAfile", c.root, "-untrusted", test_ocsp.issuing(c),
            *paths[i:i + 500])


def check_answers(c, got, pem):
    def judge(item):
        i, (request, body) = item
        req, resp = c.path(f"ocsp-{i}.req"), c.path(f"ocsp-{i}.resp")
        for path, data in ((req, request), (resp, body)):
            with open(path, "wb") as f:
                f.write(data)
        p = run("openssl", "ocsp", "-reqin", req, "-respin", resp, "-issuer",
                test_ocsp.issuing(c), "-cert", pem, "-CAfile", c.root,
                "-verify_other", test_ocsp.issuing(c), "-no_nonce")
        out = p.stdout + p.stderr
        # -no_nonce adds none to the request; the answer must have its own.
        assert "Response verify OK" in out and ": good" in out and \
            "nonce" not in out.lower(), out
        os.unlink(req)
        os.unlink(resp)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(judge, enumerate(got)))


def nonce_request(c, pem):
    """An OCSPRequest whose last 16 bytes are its nonce."""
    path = c.path("nonce.req")
    run("openssl", "ocsp", "-issuer", test_ocsp.issuing(c), "-cert", pem,
        "-nonce", "-reqout", path)
    with open(path, "rb") as f:
        return f.read()


class Load:
    """Enrolment and OCSP, until stop()."""

    def __init__(self, c):
        self.c, self.end = c, threading.Event()
        _, self.pem = c.device("first")
        _, b64 = c.csr("shared", "/", key=c.key("shared"))
        with open(b64, "rb") as f:
            csr = f.read()
        self.api = Api(os.path.join(c.home, "admin.sock"))
        tokens = queue.Queue(200)
        self.feeder = Feeder(self.end, self.api, tokens)
        self.enrollers = [Enroller(self.end, c, tokens, csr)
                          for _ in range(ENROLLERS)]
        request = nonce_request(c, self.pem)
        self.askers = [Asker(self.end, c, request) for _ in range(ASKERS)]
        self.clients = self.enrollers + self.askers
        for t in (self.feeder, *self.clients):
            t.start()
        recovered(self.clients, 0)

    def stop(self):
        self.end.set()
        for t in self.clients:
            t.join(HANG_S + 20)
        failed = [t.failed for t in self.clients if t.failed]
        assert not failed, failed

    def check(self):
        """All that was given out, by openssl. How much that was."""
        certs = {}
        for t in self.enrollers:
            certs.update(t.got)
        check_certs(self.c, certs)
        answers = [x for t in self.askers for x in t.got]
        check_answers(self.c, answers, self.pem)
        return len(certs), len(answers)


# --- the tests

@alone
def test_outages_under_load(build):
    seed = int(os.environ.get("MICA_TEST_SEED", time.time()))
    print(f"seed {seed} (MICA_TEST_SEED repeats it)")
    rng = random.Random(seed)
    with hsm_ca(build) as (c, t):
        c.start()
        load = Load(c)
        watch = LoopWatch(c, load.api)
        watch.start()
        worst = 0.0
        for kind in plan(rng, OUTAGES):
            kind(t, rng)
            try:
                took = recovered(load.clients, time.monotonic())
            except AssertionError as e:
                raise AssertionError(f"after {kind.__name__}: {e}") from e
            worst = max(worst, took)
            time.sleep(rng.uniform(0, 0.3))
        load.stop()
        watch.end.set()
        watch.join()
        flipped = t.did("flipped")
        assert flipped or OUTAGES < len(KINDS) + 1
        n_certs, n_answers = load.check()
        print(f"{OUTAGES} outages, {t.did('initialized')} signers, "
              f"{t.did('opened')} sessions, {flipped} flipped; {n_certs} "
              f"certificates, {n_answers} OCSP answers; recovery at worst "
              f"{worst:.2f} s; callbacks over 50 ms: {watch.held:.0f}, "
              f"{watch.excused:.3f} s of it for want of a core")
        assert not watch.blocked, watch.blocked
        assert c.stop() == 0
        run(c.bin("mica"), "--config", c.conf, "store", "check")


def test_one_hang_stops_nobody_else(build):
    with hsm_ca(build) as (c, t):
        c.start()
        load = Load(c)
        watch = LoopWatch(c, load.api)
        watch.start()
        t.want("hang_ms", HANG_S * 1000)
        t.want("next_hung", 1)
        wait_for("the hang", lambda: t.did("hung") == 1, 10)
        began = time.monotonic()
        while time.monotonic() < began + HANG_S + 2:
            # One of them waits; the others go on.
            since = time.monotonic()
            wait_for("a good answer to the others",
                     lambda: sum(x.good > since for x in load.clients) >=
                     len(load.clients) - 1, RECOVERY_S)
            time.sleep(0.5)
        recovered(load.clients, time.monotonic())
        load.stop()
        watch.end.set()
        watch.join()
        load.check()
        assert not watch.blocked, watch.blocked


def test_a_wrong_pin_is_tried_once(build):
    with hsm_ca(build) as (c, t):
        c.start()
        load = Load(c)
        for rv in (p11.CKR_PIN_INCORRECT, p11.CKR_PIN_LOCKED)[:1 + CI]:
            before = t.did("logins")
            t.want("login_rv", rv)
            t.want("outage", t.wanted("outage") + 2)
            wait_for("a login", lambda: t.did("logins") > before, 10)
            time.sleep(5)
            assert t.did("logins") == before + 1, t.did("logins") - before
            assert "PIN" in c.log(), c.log()[-2000:]
            # Nobody tries again before an operator says so.
            t.want("login_rv", 0)
            c.process.send_signal(signal.SIGHUP)
            recovered(load.clients, time.monotonic())
        load.stop()
        load.check()


def test_a_wrong_pin_at_the_start_is_tried_once(build):
    with hsm_ca(build) as (c, t):
        t.want("login_rv", p11.CKR_PIN_INCORRECT)
        c.start(ready=False)
        assert c.process.wait(20) != 0
        c.process = None
        assert t.did("logins") == 1, t.did("logins")
        assert "PIN" in c.log(), c.log()
        t.want("login_rv", 0)
        c.start()
        c.device("dev")


def readyz(c):
    return c.curl(f"http://127.0.0.1:{c.prom}/readyz", check=False)


def test_a_token_that_is_away_at_the_start_is_used_when_it_appears(build):
    with hsm_ca(build) as (c, t):
        c.start()
        _, before = c.device("dev-1")
        assert c.stop() == 0
        t.want("outage", t.wanted("outage") + 1)
        c.start(ready=False)

        def told():
            m = readyz(c)
            return "issuing" in m.text() and m
        said = wait_for("readyz that says it", told)
        assert "token mica" in said.text(), said.text()
        away, = c.json("status")["away"]
        assert (away["token"], away["keys"]) == ("mica", "issuing"), away
        assert any("token mica" in w for w in c.json("status")["warnings"])
        assert c.metrics()["mica_hsm_tokens_away"] == 1
        # What needs no signature is served, by workers, too.
        wait_for("workers", lambda: all(
            p["ready"] for p in c.json("status")["processes"]
            if p["name"] != "supervisor"))
        crl = f"http://127.0.0.1:{c.http}/crl/factory.crl"
        assert c.curl(crl).status == 200
        signer = c.pids("signer")
        c.mica("revoke", "--file", before)
        t.want("outage", t.wanted("outage") + 1)
        c.wait_ready()
        assert c.pids("signer") == signer
        assert readyz(c).text().strip() == "ready"
        assert c.json("status")["away"] == []
        assert c.metrics()["mica_hsm_tokens_away"] == 0
        c.verify(c.device("dev-2")[1])
        check_ocsp(c, before, "revoked")


def test_other_keys_serve_while_a_token_is_away_from_the_start(build):
    """Of a code key nobody knows what it is like before its token is there."""
    if not CI:
        raise Skip("runs under ./check --ci")
    with p11.FaultToken(build) as t:
        t.tool("--keypairgen", "--key-type", "EC:prime256v1", "--label",
               "code", "--id", "02", "--usage-sign")
        where = (f'uri: "{t.uri("code")}", module: {t.module}, pin: hsm.pin')
        with Signing(build, token=where) as c:
            pin = os.path.join(c.home, "keys", "hsm.pin")
            with open(pin, "w") as f:
                f.write(PIN)
            os.chmod(pin, 0o600)
            c.give(pin)
            t.want("outage", t.wanted("outage") + 1)
            began = time.monotonic()
            c.start()
            assert time.monotonic() - began < 10
            _, pem = c.device("dev-1")
            check_ocsp(c, pem, "good")
            assert "code-p256 cannot be used" in readyz(c).text()
            p = c.sign(c.file, check=False)
            assert p.returncode == 1 and "no certificate" in p.stderr, p.stderr
            signer = c.pids("signer")
            t.want("outage", t.wanted("outage") + 1)
            wait_for("its certificate", lambda: c.json(
                "code", "list")["code"][0].get("serial"))
            c.sign(c.file)
            assert c.good(c.file, c.file + ".p7s").returncode == 0
            assert c.pids("signer") == signer
            # A signer that comes later is told what the key is like.
            t.want("outage", t.wanted("outage") + 1)
            os.kill(signer[0], signal.SIGKILL)
            wait_for("another", lambda: "code-p256" in readyz(c).text() and
                     readyz(c).status == 200)
            check_ocsp(c, c.device("dev-2")[1], "good")
            t.want("outage", t.wanted("outage") + 1)
            wait_for("the token", lambda: readyz(c).text().strip() == "ready")
            c.sign(c.file, "--force")
            assert c.log().count("signer.key_found") == 1


def hung(c, t, where, act):
    """What is asked while a signer hangs there says so; then the next one comes
    up."""
    t.want("hang_ms", 600000)
    t.want(f"next_hung_{where}", 1)
    act()
    ends = c.log().count("signer.start_hangs")
    url = f"http://127.0.0.1:{c.prom}/readyz"

    def said():
        a = c.curl(url, "--max-time", "2", check=False)
        return a.status == 503 and "issuing" in a.text() and a.text()
    text = wait_for("readyz that says it", said)
    assert t.module in text and "not ready" in text, text
    away, = c.json("status")["away"]
    assert away["keys"] == "issuing" and "token=mica" in away["token"], away
    assert any("issuing" in w for w in c.json("status")["warnings"])
    wait_for("its end",
             lambda: c.log().count("signer.start_hangs") > ends, 60)
    held = c.lines("signer.held_up")
    assert held and all(t.module in x and 'key="issuing"' in x
                        for x in held), held
    c.wait_ready()
    assert c.json("status")["away"] == []


def test_a_module_that_hangs_at_the_start_is_replaced(build):
    if not CI:
        raise Skip("runs under ./check --ci")
    with hsm_ca(build) as (c, t):
        hung(c, t, "initialize", lambda: c.start(ready=False))
        c.verify(c.device("dev-1")[1])
        for where in ("open", "login"):
            hung(c, t, where,
                 lambda: os.kill(c.pids("signer")[0], signal.SIGKILL))
            c.verify(c.device("dev-" + where)[1])


def test_a_signer_that_hangs_at_its_start_holds_up_no_stop(build):
    if not CI:
        raise Skip("runs under ./check --ci")
    with hsm_ca(build) as (c, t):
        t.want("hang_ms", 600000)
        t.want("next_hung_initialize", 1)
        c.start(ready=False)
        wait_for("the hang", lambda: t.did("hung") == 1)
        began = time.monotonic()
        c.stop()
        assert time.monotonic() - began < 10


def ask_at_once(c, pem, n):
    """So many OCSP answers, each by the key in the token."""
    request = nonce_request(c, pem)

    def one(_):
        conn = Http(c.http)
        status, body = conn.post("/ocsp", request[:-16] + os.urandom(16),
                                 "Content-Type: application/ocsp-request")
        conn.close()
        return status == 200 and body != TRY_LATER

    with concurrent.futures.ThreadPoolExecutor(n) as pool:
        assert all(pool.map(one, range(n)))


def test_sessions_are_as_many_as_told_or_as_the_token_has_room_for(build):
    if not CI:
        raise Skip("runs under ./check --ci")

    def sessions(n, seconds=30):
        wait_for(f"{n} sessions", lambda: c.metrics()[
            "mica_hsm_sessions_open"] == n == t.did("sessions"), seconds)

    with hsm_ca(build, 64, "key: ca") as (c, t):
        c.start()
        _, pem = c.device("dev-1")
        sessions(64)
        t.want("latency_us", 1000000)
        ask_at_once(c, pem, 64)
        assert t.did("at_once_most") == 64, t.did("at_once_most")
        t.want("latency_us", 0)
        signer = c.pids("signer")
        t.want("sessions_max", 3)
        t.want("outage", t.wanted("outage") + 2)
        # That they are lost shows when they are used.
        for _ in range(20):
            ask_at_once(c, pem, 64)
            if c.lines("signer.sessions_short"):
                break
        sessions(3)
        assert t.did("over_limit") > 0
        ask_at_once(c, pem, 64)
        assert t.did("sessions") == 3
        # The others are asked for again after half a minute.
        t.want("sessions_max", 0)
        sessions(64, 60)
        assert c.pids("signer") == signer


def test_a_dead_module_costs_a_signer_and_no_more(build):
    with hsm_ca(build) as (c, t):
        c.start()
        load = Load(c)
        signer = c.pids("signer")[0]
        t.want("dead_rv", p11.CKR_CRYPTOKI_NOT_INITIALIZED)
        wait_for("the signer's end",
                 lambda: not os.path.exists(f"/proc/{signer}"), 10)
        before = c.log().count("signer.failed")
        time.sleep(DEAD_S)
        # It is started again, and not as fast as it can be.
        assert 3 <= c.log().count("signer.failed") - before <= DEAD_S
        assert c.process.poll() is None
        t.want("dead_rv", 0)
        recovered(load.clients, time.monotonic())
        load.stop()
        load.check()
