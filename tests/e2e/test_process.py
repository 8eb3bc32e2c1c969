"""The daemon's processes: each comes back when it dies, SIGHUP hands over,
SIGTERM finishes what is in flight."""

import base64
import calendar
import contextlib
import json
import os
import re
import signal
import socket
import time

import test_crl
import test_ocsp
from harness import Ca, ca, run, sanitized, wait_for
from test_http import tls


def enrol_ok(c, name):
    c.device(name)
    return True


def test_each_killed_process_comes_back_and_serves(build):
    with ca(build) as c:
        for kind in ("worker-1", "keeper", "signer", "worker-2"):
            if not c.pids(kind):
                continue
            old = c.pids(kind)[0]
            os.kill(old, signal.SIGKILL)

            def back():
                now = c.pids(kind)
                return now and now[0] != old
            wait_for(f"a new {kind}", back, 10)
            c.wait_ready()
            enrol_ok(c, f"after-{kind}")
        restarts = {p["name"]: p["restarts"]
                    for p in c.json("status")["processes"]}
        assert restarts["signer"] == 1, restarts
        assert c.process.poll() is None


def test_children_end_with_the_supervisor(build):
    with ca(build) as c:
        pids = c.pids("")
        c.process.kill()
        c.process.wait()
        c.process = None

        def gone():
            return not any(os.path.exists(f"/proc/{p}") for p in pids)
        wait_for("the end of all processes", gone, 5)


def test_children_are_confined(build):
    with ca(build) as c:
        for p in c.json("status")["processes"]:
            with open(f"/proc/{p['pid']}/status") as f:
                status = dict(x.split(":\t", 1) for x in f if ":\t" in x)
            if p["name"] == "supervisor":
                continue
            if sanitized(build):
                continue
            assert status["NoNewPrivs"].strip() == "1", p
            assert status["Seccomp"].strip() == "2", p


def test_sighup_hands_over_to_the_new_configuration(build):
    with ca(build) as c:
        before = set(c.pids("worker")) | set(c.pids("keeper"))
        signer = c.pids("signer")
        assert c.curl(c.url("cacerts", "line2")).status == 404
        with open(c.conf) as f:
            text = f.read()
        new = text.replace(
            "enroll:\n  est:\n", "enroll:\n  est:\n"
            "    - { label: line2, authority: factory, profile: sensor, "
            "allow: [token] }\n")
        assert new != text
        with open(c.conf, "w") as f:
            f.write(new)
        # A connection that is open across the hand-over is finished.
        idle = socket.create_connection(("127.0.0.1", c.est), 5)
        c.process.send_signal(signal.SIGHUP)
        wait_for("the hand-over",
                 lambda: not before & (set(c.pids("worker")) |
                                       set(c.pids("keeper"))), 20)
        idle.close()
        assert c.pids("signer") == signer
        assert c.curl(c.url("cacerts", "line2")).status == 200
        c.device("after-hup", label="line2")
        wait_for("the end of the old ones",
                 lambda: not any(os.path.exists(f"/proc/{p}")
                                 for p in before), 40)


def edit_conf(c, old, new):
    with open(c.conf) as f:
        text = f.read()
    assert old in text, text
    with open(c.conf, "w") as f:
        f.write(text.replace(old, new))


def test_sighup_changes_the_log_of_all_processes(build):
    with ca(build) as c:
        with open(c.conf, "a") as f:
            f.write("log: { level: info, format: json }\n")
        c.process.send_signal(signal.SIGHUP)
        wait_for("the hand-over", lambda: '"reload.done"' in c.log() or
                 "reload.done" in c.log(), 20)
        # The signer tells of its policies at level info.
        c.process.send_signal(signal.SIGHUP)
        wait_for("the second one",
                 lambda: c.log().count("reload.done") == 2, 60)
        lines = c.log().splitlines()
        for name in ("signer", "supervisor", "keeper"):
            mine = [json.loads(x) for x in lines
                    if f'"process":"{name}"' in x]
            assert any(x["level"] == "info" for x in mine), (name, mine)


def test_sighup_overtakes_one_that_waits_for_a_certificate(build):
    with ca(build) as c:
        before = sorted(c.pids("worker"))
        # More free disk than there is: the new keeper issues nothing.
        with open(c.conf) as f:
            text = f.read()
        low = re.sub(r"(lmdb: \{ )", r"\1low: 16TiB, ", text)
        assert low != text
        with open(c.conf, "w") as f:
            f.write(low)
        c.process.send_signal(signal.SIGHUP)
        wait_for("it to wait", lambda: "reload.waits" in c.log(), 20)
        c.device("meanwhile")
        assert sorted(c.pids("worker")) == before
        with open(c.conf, "w") as f:
            f.write(text)
        c.process.send_signal(signal.SIGHUP)
        wait_for("the hand-over", lambda: "reload.done" in c.log(), 20)
        assert "reload.overtaken" in c.log()
        wait_for("the new workers",
                 lambda: not set(c.pids("worker")) & set(before), 40)
        c.device("after")


def test_the_old_keeper_answers_nobody_while_its_workers_finish(build):
    """Or what the old configuration allowed would be allowed on."""
    with ca(build) as c:
        keeper = c.pids("keeper")
        # A request that takes its time holds the old worker up.
        slow = [tls(c.est) for _ in range(4)]
        for s in slow:
            s.sendall(b"POST /.well-known/est/line1/simpleenroll HTTP/1.1\r\n"
                      b"Host: x\r\nContent-Length: 100\r\n\r\nMII")
        with open(c.conf, "a") as f:
            f.write("\napprovals: 2\n")
        c.process.send_signal(signal.SIGHUP)
        wait_for("the hand-over", lambda: "reload.done" in c.log(), 20)
        for _ in range(20):
            p = c.mica("authority", "revoke", "factory", "--reason",
                       "superseded", check=False)
            assert p.returncode == 4, (p.returncode, p.stdout, p.stderr)
        assert os.path.exists(f"/proc/{keeper[0]}"), "it had to wait"
        for s in slow:
            s.close()
        wait_for("the end of the old one",
                 lambda: not os.path.exists(f"/proc/{keeper[0]}"), 40)


def test_sighup_with_a_mistake_changes_nothing(build):
    with ca(build) as c:
        before = sorted(c.pids(""))
        with open(c.conf, "a") as f:
            f.write("\nprofils: {}\n")
        c.process.send_signal(signal.SIGHUP)
        wait_for("the log to say why",
                 lambda: "profils" in c.log() and "profiles" in c.log(), 10)
        time.sleep(0.3)
        assert sorted(c.pids("")) == before
        c.device("still")


def test_sigterm_finishes_what_is_in_flight(build):
    with ca(build) as c:
        _, b64 = c.csr("dev", "/CN=dev")
        token = c.token("dev")
        # The body comes in two halves; SIGTERM between them.
        body = open(b64, "rb").read()
        basic = base64.b64encode(f"dev:{token}".encode()).decode()
        s = tls(c.est)
        s.settimeout(15)
        s.sendall((f"POST /.well-known/est/line1/simpleenroll HTTP/1.1\r\n"
                   f"Host: x\r\nAuthorization: Basic {basic}\r\n"
                   f"Content-Length: {len(body)}\r\n\r\n").encode() +
                  body[:100])
        time.sleep(0.2)
        c.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        s.sendall(body[100:])
        out = b""
        while True:
            part = s.recv(65536)
            if not part:
                break
            out += part
        assert out.startswith(b"HTTP/1.1 200"), out[:200]
        assert b"Connection: close" in out
        assert c.process.wait(40) == 0
        c.process = None


def test_start_refuses_what_cannot_work(build):
    with Ca(build) as c:
        os.chmod(os.path.join(c.home, "keys", "issuing.key"), 0o644)
        c.start(ready=False)
        assert c.process.wait(20) != 0
        c.process = None
        assert "0600" in c.log() or "mode" in c.log(), c.log()
    with Ca(build) as c:
        keys = os.path.join(c.home, "keys")
        os.chmod(keys, 0o777)
        refused_start(c, c.conf, keys, "chmod 700")
        os.chmod(keys, 0o700)
        data = os.path.join(c.home, "store", "data.mdb")
        with open(data, "w") as f:
            f.write("x" * 9000)
        if os.geteuid() == 0:
            os.chown(os.path.dirname(data), 0, 0)
            refused_start(c, c.conf, os.path.dirname(data), "chown")
            run("chown", "-R", "mica", os.path.dirname(data))
        refused_start(c, c.conf, os.path.dirname(data), "LMDB")
    with Ca(build) as c:
        p = run(c.bin("micad"), "--check-config", c.conf)
        assert "good" in p.stdout
        keys = os.path.join(c.home, "keys")
        key = os.path.join(keys, "issuing.key")
        os.chmod(key, 0o640)
        refused_check(c, "keys.issuing", "chmod 600")
        os.chmod(key, 0o600)
        os.rename(key, key + ".away")
        refused_check(c, "keys.issuing", "No such file")
        os.rename(key + ".away", key)
        os.chmod(keys, 0o770)
        refused_check(c, "chmod 700")
        os.rename(keys, keys + ".away")
        refused_check(c, keys, "No such file")
        os.rename(keys + ".away", keys)
        os.chmod(keys, 0o700)
        bad = os.path.join(c.home, "ca", "bad.pem")
        with open(bad, "w") as f:
            f.write("-----BEGIN CERTIFICATE-----\nMAA=\n"
                    "-----END CERTIFICATE-----\n")
        with open(c.conf, "a") as f:
            f.write("trust:\n  maker: { certificates: ca/bad.pem }\n")
        p = run(c.bin("micad"), "--check-config", c.conf, check=False)
        assert p.returncode == 1
        assert "trust.maker" in p.stderr and "bad.pem" in p.stderr, p.stderr
        with open(c.conf, "a") as f:
            f.write("nonsense: 1\n")
        p = run(c.bin("micad"), "--check-config", c.conf, check=False)
        assert p.returncode == 1
        assert "nonsense" in p.stderr and f"{c.conf}:" in p.stderr


def refused_check(c, *words):
    p = run(c.bin("micad"), "--check-config", c.conf, check=False)
    assert p.returncode == 1 and "good" not in p.stdout, p.stdout
    for w in words:
        assert w in p.stderr, (w, p.stderr)


def refused_start(c, conf, *words):
    p = run(c.bin("micad"), "-c", conf, check=False, timeout=30)
    assert p.returncode == 1, p.stderr
    for w in words:
        assert w in p.stderr, (w, p.stderr)
    return p.stderr


def test_two_daemons_share_neither_store_nor_port(build):
    with ca(build) as c:
        other = os.path.join(c.home, "other.yaml")
        with open(c.conf) as f:
            text = f.read().replace("admin.sock", "other.sock").replace(
                f":{c.prom}", ":0")
        with open(other, "w") as f:
            f.write(text.replace("path: store", "path: store2"))
        refused_start(c, other, f"127.0.0.1:{c.est}", "in use")
        with open(other, "w") as f:
            f.write(text.replace(f":{c.est}", ":0").replace(
                f":{c.http}", ":0"))
        log = refused_start(c, other, "another micad", "store")
        assert log.count("listen") <= 3, log
        c.device("dev")


def test_sighup_cures_a_worker_that_keeps_dying(build):
    with ca(build) as c:
        def worker():
            return c.pids("worker-1")

        def closed():
            if worker():
                os.kill(worker()[0], signal.SIGKILL)
            return c.log().count('process="worker-1"') >= 3 and not worker()
        wait_for("its sockets to close", closed, 10)
        c.process.send_signal(signal.SIGHUP)
        wait_for("the hand-over", lambda: "reload.done" in c.log(), 20)
        # The old one may have been started once more by then, and drains.
        wait_for("one of them", lambda: len(worker()) == 1, 35)
        for _ in range(8):
            assert c.curl(c.url("cacerts")).status == 200


def test_new_processes_that_fail_leave_the_old_ones_serving(build):
    with ca(build) as c:
        before = sorted(c.pids(""))
        # What only a child finds out: the store's folder is another's now.
        data = os.path.join(c.home, "store", "data.mdb")
        os.rename(data, data + ".away")
        os.mkdir(data)
        c.process.send_signal(signal.SIGHUP)
        wait_for("the failure", lambda: "reload.failed" in c.log(), 10)
        os.rmdir(data)
        os.rename(data + ".away", data)
        assert sorted(c.pids("")) == before
        c.device("still")
        c.process.send_signal(signal.SIGHUP)
        wait_for("the hand-over", lambda: "reload.done" in c.log(), 20)
        c.device("again")


def test_sigterm_at_any_moment_of_the_start_ends_cleanly(build):
    with Ca(build) as c:
        for ms in range(5, 80, 5):
            c.start(ready=False)
            time.sleep(ms / 1000)
            began = time.monotonic()
            c.process.send_signal(signal.SIGTERM)
            status = c.process.wait(40)
            c.process = None
            # Before it has its handler, the signal itself ends it.
            assert status in (0, -signal.SIGTERM), (ms, status)
            assert time.monotonic() - began < 10, ms
            assert " signal=" not in c.log(), (ms, c.log())


def test_what_cannot_issue_serves_the_rest_until_it_can(build):
    with ca(build) as c:
        c.device("dev")
        c.stop()
        # A few seconds below the clock floor, which lies 5 min back.
        c.clock_shift = -304
        c.start(ready=False)
        wait_for("EST to be off", lambda: 'est="off"' in c.log(), 20)
        url = f"http://127.0.0.1:{c.http}/none"
        assert c.curl(url).status == 404
        assert c.curl(c.url("cacerts"), check=False).status == 0
        ready = c.curl(f"http://127.0.0.1:{c.prom}/readyz")
        assert ready.status == 503, ready.text()
        os.kill(c.pids("worker")[0], signal.SIGKILL)
        wait_for("the clock to pass it", lambda: "reload.done" in c.log(), 30)
        c.wait_ready()
        c.device("dev2")


def test_a_key_that_is_not_the_certificates_is_found_at_once(build):
    with Ca(build) as c, Ca(build) as other:
        key = os.path.join(c.home, "keys", "issuing.key")
        wrong = os.path.join(other.home, "keys", "issuing.key")
        os.rename(key, key + ".right")
        os.rename(wrong, key)
        log = refused_start(c, c.conf, "authority factory", "key issuing",
                            "ca/issuing.pem")
        assert "micad.ready" not in log, log
        os.rename(key, wrong)
        os.rename(key + ".right", key)
        c.start()
        # Another CA's certificates, by SIGHUP: nothing changes.
        before = sorted(c.pids(""))
        for name in ("root.pem", "issuing.pem"):
            with open(os.path.join(other.home, "ca", name)) as f:
                text = f.read()
            with open(os.path.join(c.home, "ca", name + ".new"), "w") as f:
                f.write(text)
        with open(c.conf) as f:
            text = f.read()
        with open(c.conf, "w") as f:
            f.write(text.replace("issuing.pem", "issuing.pem.new").replace(
                "root.pem", "root.pem.new"))
        c.process.send_signal(signal.SIGHUP)
        wait_for("the refusal", lambda: "reload.failed" in c.log(), 20)
        assert "key.mismatch" in c.log(), c.log()
        assert sorted(c.pids("")) == before
        c.device("dev")


def test_behind_the_clock_floor_status_goes_on_and_issuing_does_not(build):
    with Ca(build, edit=lambda t: test_ocsp.with_ocsp(t, "key: ca")) as c:
        # A clock that runs two days ahead, and is set right again.
        c.clock_shift = 2 * 86400
        c.start()
        pem = c.path("dev.pem")
        c.mica(*issue_args(c, "dev"), "--out", pem)
        before = test_crl.number(test_crl.fetch(c))
        c.stop()
        c.clock_shift = 0
        c.start(ready=False)
        wait_for("a new CRL", lambda: c.mica(
            "crl", "generate", check=False).returncode == 0, 20)
        crl = test_crl.fetch(c)
        assert test_crl.number(crl) > before
        ahead = 2 * 86400 - 600
        assert this_update(run("openssl", "crl", "-inform", "DER", "-in", crl,
                               "-noout", "-lastupdate").stdout) > ahead
        # Who looks has the clock that ran ahead, too.
        at = ("-no_nonce", "-validity_period", str(3 * 86400))
        out = test_ocsp.openssl(c, *at, pem=pem)
        assert "Response verify OK" in out and f"{pem}: good" in out, out
        # The start of an answer's life is spread over half of it.
        assert this_update(out) > ahead - 6 * 3600, out
        c.mica("revoke", "--file", pem)
        out = test_ocsp.openssl(c, *at, pem=pem)
        assert f"{pem}: revoked" in out, out
        # Certificates are refused, and it is said why.
        p = c.mica(*issue_args(c, "dev2"), check=False)
        assert p.returncode == 1 and "clock floor" in p.stderr, p.stderr
        assert "mica store floor" in c.mica("status").stdout
        shown = c.json("store", "floor")
        assert shown["issuing"] is False, shown
        # An operator lowers it: all is as the clock has it again.
        p = c.mica("store", "floor", "--to", "2001-01-01", check=False)
        assert p.returncode == 1, p.stdout
        lowered = c.json("store", "floor", "--now")
        assert lowered["issuing"] is True, lowered
        assert lowered["before"] == shown["clock_floor"], lowered
        assert "floor.lowered" in c.log()
        c.mica(*issue_args(c, "dev2"))
        out = test_ocsp.openssl(c, "-no_nonce", pem=pem)
        assert abs(this_update(out)) < 6 * 3600 + 120, out
        wait_for("CRLs dated by the clock", lambda: abs(this_update(
            run("openssl", "crl", "-inform", "DER", "-in", test_crl.fetch(c),
                "-noout", "-lastupdate").stdout)) < 120, 20)
        c.wait_ready()
        c.device("dev3")


def test_what_was_refused_is_on_record_when_the_daemon_ends(build):
    with ca(build) as c:
        c.token("dev")
        _, b64 = c.csr("dev", "/CN=dev")
        assert c.enroll(b64, "-u", "dev:wrong").status == 401
        before = c.json("status")["store"]["audit_last"]
        c.stop()
        assert c.json("store", "check")["audit_entries"] == before + 1


def test_a_frozen_signer_is_replaced_and_requests_go_on(build):
    with ca(build) as c:
        old = c.pids("signer")[0]
        os.kill(old, signal.SIGSTOP)
        try:
            began = time.monotonic()
            c.device("waits")
            took = time.monotonic() - began
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(old, signal.SIGCONT)
        # 5 pings of 2 s each, and the new one's start.
        assert 5 < took < 20, took
        assert "signer.frozen" in c.log()
        assert c.pids("signer")[0] != old
        # One that is stopped for a moment is left alone.
        old = c.pids("signer")[0]
        os.kill(old, signal.SIGSTOP)
        time.sleep(3)
        os.kill(old, signal.SIGCONT)
        c.device("waits-less")
        assert c.pids("signer")[0] == old
        assert c.log().count("signer.frozen") == 1


def issue_args(c, name):
    c.csr(name, f"/CN={name}")
    return ("cert", "issue", "--csr", c.path(f"{name}.csr"), "--profile",
            "sensor", "--device", name)


def this_update(text):
    """Of openssl's output, in seconds from now."""
    m = re.search(r"(?:This Update: |lastUpdate=)(.* GMT)", text)
    then = time.strptime(m.group(1), "%b %d %H:%M:%S %Y GMT")
    return calendar.timegm(then) - time.time()


def test_a_configured_listener_certificate_is_served(build):
    with Ca(build) as c:
        key = os.path.join(c.home, "keys", "est.key")
        os.rename(c.key("est"), key)
        os.chmod(key, 0o600)
        stat = os.stat(os.path.join(c.home, "keys", "issuing.key"))
        os.chown(key, stat.st_uid, stat.st_gid)
        pem = os.path.join(c.home, "ca", "est.pem")
        run("openssl", "req", "-x509", "-key", key, "-subj", "/CN=given",
            "-days", "10", "-out", pem, "-addext",
            "subjectAltName=IP:127.0.0.1")
        with open(c.conf) as f:
            text = f.read()
        new = re.sub(r"( est: \{ address: [^,]*),.*\}",
                     r"\1, certificate: ca/est.pem, key: est.key }", text)
        assert new != text
        with open(c.conf, "w") as f:
            f.write(new)
        c.start()
        shown = run("openssl", "s_client", "-connect", f"127.0.0.1:{c.est}",
                    stdin="").stdout
        assert "CN = given" in shown, shown
        _, b64 = c.csr("dev", "/CN=dev")
        c.root = pem
        a = c.enroll(b64, "-u", f"dev:{c.token('dev')}")
        assert a.status == 200, a.text()
