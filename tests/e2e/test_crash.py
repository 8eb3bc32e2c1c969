"""kill -9 of any process at random under clients that enrol: nothing that was
acknowledged is lost, nothing is issued twice, what was begun is given back."""

import base64
import json
import os
import random
import signal
import socket
import ssl
import threading
import time

from harness import Ca, run

ABANDONED_WANTED = 50 if os.environ.get("MICA_TEST_CI") else 8
CLIENTS = 8
DEADLINE_S = 240


class Api:
    """The admin API, without a process for each call."""

    def __init__(self, path):
        self.path = path

    def call(self, method, path, body=None):
        data = json.dumps(body).encode() if body is not None else b""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(30)
            s.connect(self.path)
            s.sendall(f"{method} {path} HTTP/1.1\r\nHost: mica\r\n"
                      f"Connection: close\r\nContent-Type: application/json\r\n"
                      f"Content-Length: {len(data)}\r\n\r\n".encode() + data)
            out = b""
            while True:
                part = s.recv(65536)
                if not part:
                    break
                out += part
        head, _, rest = out.partition(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1]), json.loads(rest)

    def sure(self, method, path, body=None):
        """Try until the daemon, which is being killed, answers."""
        for _ in range(400):
            try:
                status, answer = self.call(method, path, body)
                if status == 200 or status == 201:
                    return answer
            except (OSError, ValueError, IndexError):
                pass
            time.sleep(0.05)
        raise AssertionError(f"{method} {path} never worked")


class Client(threading.Thread):
    def __init__(self, number, c, api, csr, stop):
        super().__init__(daemon=True)
        self.number, self.c, self.api, self.csr = number, c, api, csr
        self.stop = stop
        self.got = {}
        self.failed = []
        self.context = ssl.create_default_context(cafile=c.root)

    def once(self, device, token):
        basic = base64.b64encode(f"{device}:{token}".encode()).decode()
        raw = socket.create_connection(("127.0.0.1", self.c.est), 5)
        with self.context.wrap_socket(raw, server_hostname="127.0.0.1") as s:
            s.settimeout(5)
            s.sendall((
                "POST /.well-known/est/line1/simpleenroll HTTP/1.1\r\n"
                f"Host: localhost\r\nAuthorization: Basic {basic}\r\n"
                f"Connection: close\r\nContent-Length: {len(self.csr)}\r\n\r\n"
            ).encode() + self.csr)
            out = b""
            while True:
                part = s.recv(65536)
                if not part:
                    break
                out += part
        head, _, body = out.partition(b"\r\n\r\n")
        if not head:
            return 0, b""
        return int(head.split(b" ", 2)[1]), body

    def run(self):
        n = 0
        while not self.stop.is_set():
            n += 1
            device = f"c{self.number}-{n}"
            token = self.api.sure("POST", "/v1/tokens",
                                  {"device": device})["token"]
            self.enrol(device, token)

    def enrol(self, device, token):
        """The same request until it is answered: a retry is harmless."""
        last = None
        for _ in range(600):
            try:
                status, body = self.once(device, token)
            except OSError:
                time.sleep(0.02)
                continue
            last = (status, body)
            if status == 200:
                self.got[device] = body
                return
            if status in (400, 401, 404):
                break
            time.sleep(0.05)
        self.failed.append((device, last))


def all_certs(api):
    certs, cursor = [], ""
    while True:
        path = "/v1/certs" + (f"?cursor={cursor}" if cursor else "")
        page = api.sure("GET", path)
        certs += page["certificates"]
        cursor = page.get("cursor")
        if not cursor:
            return certs


def kill_until_enough(c, api, rng):
    """Kill at random; returns (kills, abandoned)."""
    kills, end = 0, time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        time.sleep(rng.uniform(0.05, 0.35))
        status = api.sure("GET", "/v1/status")
        abandoned = status["store"]["abandoned"]
        if abandoned >= ABANDONED_WANTED:
            return kills, abandoned
        if rng.random() < 0.08:
            # All at once, as when the power goes.
            c.process.kill()
            c.process.wait()
            c.start()
            kills += 1
            continue
        alive = [p for p in status["processes"]
                 if p["pid"] and p["name"] != "supervisor"]
        workers = [p for p in alive if p["name"].startswith("worker")]
        if not workers:
            continue  # a keeper that just came back has not been told yet
        victim = rng.choice(workers if rng.random() < 0.8 else alive)
        try:
            os.kill(victim["pid"], signal.SIGKILL)
            kills += 1
        except ProcessLookupError:
            pass
    raise AssertionError("too few kills landed between T1 and T2")


def test_kill_9_loses_nothing(build):
    seed = int(os.environ.get("MICA_TEST_SEED", time.time()))
    print(f"seed {seed} (MICA_TEST_SEED repeats it)")
    rng = random.Random(seed)

    def many_workers(text):
        # A worker that dies three times in 10 s waits: more of them to kill.
        return text.replace("process: {", "process: { workers: 8,", 1) \
            if "process: {" in text else \
            text.replace("process:\n", "process:\n  workers: 8\n", 1)
    with Ca(build, edit=many_workers) as c:
        c.start()
        api = Api(os.path.join(c.home, "admin.sock"))
        key = c.key("shared")
        _, b64 = c.csr("shared", "/", key=key)
        with open(b64, "rb") as f:
            csr = f.read()
        stop = threading.Event()
        clients = [Client(i, c, api, csr, stop) for i in range(CLIENTS)]
        for t in clients:
            t.start()
        kills, abandoned = kill_until_enough(c, api, rng)
        stop.set()
        for t in clients:
            t.join(60)
        got = {d: b for t in clients for d, b in t.got.items()}
        failed = [f for t in clients for f in t.failed]
        print(f"{kills} kills, {abandoned} abandoned, {len(got)} enrolled")
        assert not failed, failed[:3]
        certs = all_certs(api)
        issued = {x["device"]: x for x in certs if x["state"] == "issued"
                  and x["device"]}
        serials = [x["serial"] for x in certs]
        assert len(serials) == len(set(serials))
        # One certificate a device: a retry got the stored one.
        assert len([x for x in certs if x["device"] and
                    x["state"] == "issued"]) == len(issued)
        for device, body in got.items():
            row = issued.get(device)
            assert row is not None, f"{device} was acknowledged, then lost"
            shown = api.sure("GET", f"/v1/certs/{row['serial']}")
            path = c.path("p7")
            with open(path, "wb") as f:
                f.write(base64.b64decode(body))
            pem = run("openssl", "pkcs7", "-inform", "DER", "-in", path,
                      "-print_certs").stdout
            pem = pem[pem.index("-----BEGIN"):].strip()
            assert "".join(pem.split()) == "".join(shown["certificate"].split()), device
        assert c.stop() == 0
        # Every certificate is its TBS, every index and the audit chain whole.
        run(c.bin("mica"), "--config", c.conf, "store", "check")
        assert abandoned >= ABANDONED_WANTED
