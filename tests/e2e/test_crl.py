"""CRLs and CA certificates judged by openssl, gnutls and Mbed TLS."""

import os
import random
import re
import shutil
import signal
import subprocess
import time
import urllib.request

from harness import Ca, Skip, ca, need, run, serial, wait_for

FAST = "after_revocation: 0s"
# Clock jumps, restarts and crashes.
RISES = 1000 if os.environ.get("MICA_TEST_LONG") else 12


def with_crl(text, options=FAST, extra=""):
    """The authority's CRL options, and URLs that follow from the listener."""
    port = re.search(r"http: \{ address: \"127.0.0.1:(\d+)\"", text).group(1)
    text, n = re.subn(
        r"factory: \{ certificate: ca/issuing.pem,",
        "factory: { crl: { %s }, certificate: ca/issuing.pem," % options, text)
    assert n == 1, text
    return text + f"publish: {{ url: \"http://127.0.0.1:{port}\" }}\n" + extra


def issuing(c):
    return os.path.join(c.home, "ca", "issuing.pem")


def url(c, name="factory.crl", folder="crl"):
    return f"http://127.0.0.1:{c.http}/{folder}/{name}"


def fetch(c, name="factory.crl", folder="crl"):
    """Into a file; its path."""
    path = c.path(name)
    with urllib.request.urlopen(url(c, name, folder), timeout=10) as r:
        assert r.status == 200
        data = r.read()
    with open(path, "wb") as f:
        f.write(data)
    return path


def text_of(path):
    return run("openssl", "crl", "-inform", "DER", "-in", path, "-noout",
               "-text").stdout


def number(path):
    # After its name, in decimal or in hexadecimal.
    m = re.search(r"X509v3 CRL Number: *\n *(\S+)", text_of(path))
    return int(m.group(1), 0)


def serials(path):
    return [s.lower() for s in re.findall(r"Serial Number: (\S+)",
                                          text_of(path))]


def listed(c, pem, name="factory.crl"):
    return serial(pem) in serials(fetch(c, name))


def pem_of(c, path):
    out = path + ".pem"
    run("openssl", "crl", "-inform", "DER", "-in", path, "-out", out)
    return out


def root_crl(c):
    """The root has revoked nothing; -crl_check_all asks for its CRL too."""
    out = c.path("root.crl")
    if not os.path.exists(out):
        p = c.mica("authority", "crl", "--out", out, "--root-passphrase-file",
                   c.path("pass"), check=False)
        if p.returncode != 0:
            raise AssertionError(p.stdout + p.stderr)
    return pem_of(c, out)


def check_all(c, pem, crl):
    """openssl verify of the whole chain, each certificate against its CRL."""
    return run("openssl", "verify", "-crl_check_all", "-CAfile", c.root,
               "-untrusted", issuing(c), "-CRLfile", pem_of(c, crl),
               "-CRLfile", root_crl(c), pem, check=False)


def with_passphrase(build, **kw):
    """A CA whose root's passphrase we know."""
    c = Ca.__new__(Ca)
    import tempfile
    fd, path = tempfile.mkstemp()
    os.write(fd, b"correct horse\n")
    os.close(fd)
    c.__init__(build, init=("--root-passphrase-file", path), **kw)
    os.rename(path, c.path("pass"))
    return c


def test_revoked_held_and_released_by_openssl_and_gnutls(build):
    need("certtool")
    with with_passphrase(build, edit=with_crl) as c:
        c.start()
        _, good = c.device("good")
        _, bad = c.device("bad")
        _, held = c.device("held")
        c.mica("revoke", "--file", bad, "--reason", "keyCompromise")
        c.mica("hold", "--file", held)
        wait_for("both on the CRL",
                 lambda: listed(c, bad) and listed(c, held), 10)
        crl = fetch(c)
        text = text_of(crl)
        assert "Key Compromise" in text and "Certificate Hold" in text
        assert "critical" not in text, text
        out = run("openssl", "crl", "-inform", "DER", "-in", crl, "-noout",
                  "-CAfile", issuing(c)).stderr
        assert "verify OK" in out, out
        p = check_all(c, good, crl)
        assert p.returncode == 0, p.stdout + p.stderr
        for pem in (bad, held):
            p = check_all(c, pem, crl)
            assert p.returncode != 0 and "revoked" in p.stderr, p.stderr
        out = run("certtool", "--verify-crl", "--infile", pem_of(c, crl),
                  "--load-ca-certificate", issuing(c)).stdout
        assert "Verified" in out or "verified" in out, out
        before = number(crl)
        c.mica("release", "--file", held)
        wait_for("released", lambda: not listed(c, held), 10)
        crl = fetch(c)
        assert number(crl) > before
        assert check_all(c, held, crl).returncode == 0
        assert serials(crl) == [serial(bad)], serials(crl)


def test_mbedtls_accepts_the_full_crl(build):
    program = os.path.join(build, "tests", "e2e", "mbedtls_crl")
    if not os.path.exists(program):
        raise Skip("libmbedtls-dev is not installed")
    with ca(build, edit=with_crl) as c:
        _, good = c.device("good")
        _, bad = c.device("bad")
        c.mica("revoke", "--file", bad)
        wait_for("on the CRL", lambda: listed(c, bad), 10)
        crl = fetch(c)
        for pem, want in ((good, "good"), (bad, "revoked")):
            out = run(program, c.root, issuing(c), crl, pem).stdout.strip()
            assert out == want, (pem, out)


def test_certificates_carry_urls_that_work(build):
    with ca(build, edit=with_crl) as c:
        _, pem = c.device("dev")
        text = run("openssl", "x509", "-in", pem, "-noout", "-ext",
                   "crlDistributionPoints,authorityInfoAccess").stdout
        for u in (url(c), url(c, "factory.cer", "ca")):
            assert "URI:" + u in text, text
        der = fetch(c, "factory.cer", "ca")
        got = run("openssl", "x509", "-inform", "DER", "-in", der).stdout
        with open(issuing(c)) as f:
            assert got.strip() in f.read()
        p7 = fetch(c, "factory.p7c", "ca")
        out = run("openssl", "pkcs7", "-inform", "DER", "-in", p7,
                  "-print_certs", "-noout").stdout
        assert out.count("subject=") == 2, out


def with_issuer_crl(c, name):
    """The configuration names a file beside the certificates."""
    with open(c.conf) as f:
        text = f.read()
    text = re.sub(r" issuer_crl: \S+,", "", text)
    with open(c.conf, "w") as f:
        f.write(text.replace("certificate: ca/issuing.pem,",
                             f"certificate: ca/issuing.pem, issuer_crl: "
                             f"ca/{name},"))


def test_crl_of_an_offline_root_is_served(build):
    with with_passphrase(build, edit=with_crl) as c:
        made = root_crl(c)  # PEM; root.crl beside it is DER
        folder = os.path.join(c.home, "ca")
        shutil.copy(made, os.path.join(folder, "root.pem.crl"))
        shutil.copy(c.path("root.crl"), os.path.join(folder, "root.crl"))
        with open(c.path("root.crl"), "rb") as f:
            der = f.read()
        c.start()
        assert c.curl(url(c, "root.crl")).status == 404
        for name in ("root.crl", "root.pem.crl"):
            with_issuer_crl(c, name)
            c.process.send_signal(signal.SIGHUP)
            a = wait_for("it is served", lambda n=name: (
                lambda a: a.status == 200 and a)(c.curl(url(c, n))))
            assert a.body == der
            assert a.headers["Content-Type"] == "application/pkix-crl"
            same = c.curl(url(c, name), "-H",
                          "If-None-Match: " + a.headers["ETag"])
            assert same.status == 304 and not same.body
        # The chain is judged by what is served alone.
        _, pem = c.device("dev")
        crl = fetch(c, "root.pem.crl")
        p = run("openssl", "verify", "-crl_check_all", "-CAfile", c.root,
                "-untrusted", issuing(c), "-CRLfile", pem_of(c, fetch(c)),
                "-CRLfile", pem_of(c, crl), pem, check=False)
        assert p.returncode == 0, p.stdout + p.stderr
        assert "root.pem.crl" not in c.mica("status").stdout
        # What is not the issuer's, or hides a CRL of ours, changes nothing.
        shutil.copy(fetch(c), os.path.join(folder, "other.crl"))
        shutil.copy(made, os.path.join(folder, "factory.crl"))
        for name, word in (("other.crl", "another issuer"),
                           ("factory.crl", "own CRL"),
                           ("issuing.pem", "no CRL")):
            with_issuer_crl(c, name)
            p = run(c.bin("micad"), "--check-config", c.conf, check=False)
            assert p.returncode != 0, name
            assert word in p.stdout + p.stderr, p.stdout + p.stderr
        # An alarm when it is about to run out.
        with_issuer_crl(c, "root.crl")
        c.stop()
        ends = re.search(r"Next Update: (.*)", text_of(c.path("root.crl")))
        ends = time.mktime(time.strptime(
            ends.group(1), "%b %d %H:%M:%S %Y GMT")) - time.timezone
        c.clock_shift = int(ends - time.time()) - 86400
        c.start()
        assert "root.crl of who issued authority factory runs out" in \
            c.mica("status").stdout


def test_http_validators(build):
    with ca(build, edit=with_crl) as c:
        a = c.curl(url(c))
        assert a.status == 200 and a.body
        assert a.headers["Content-Type"] == "application/pkix-crl"
        for h in ("ETag", "Last-Modified", "Expires", "Cache-Control"):
            assert h in a.headers, a.headers
        same = c.curl(url(c), "-H", "If-None-Match: " + a.headers["ETag"])
        assert same.status == 304 and not same.body
        same = c.curl(url(c), "-H",
                      "If-Modified-Since: " + a.headers["Last-Modified"])
        assert same.status == 304, same.status
        head = c.curl(url(c), "-I")
        assert head.status == 200
        assert head.headers["Content-Length"] == str(len(a.body))
        c.mica("crl", "generate")
        new = c.curl(url(c), "-H", "If-None-Match: " + a.headers["ETag"])
        assert new.status == 200 and new.headers["ETag"] != a.headers["ETag"]
        assert c.curl(url(c, "other.crl")).status == 404


def test_within_the_time_that_is_configured(build):
    def edit(text):
        return with_crl(text, "after_revocation: 4s")
    with ca(build, edit=edit) as c:
        pems = [c.device(f"dev{i}")[1] for i in range(4)]
        crls = set()
        for pem in pems:
            c.mica("revoke", "--file", pem)
            began = time.monotonic()
            wait_for("on the CRL", lambda p=pem: listed(c, p), 10)
            assert time.monotonic() - began < 5.5
            crls.add(number(fetch(c)))
        assert len(crls) == 4, crls


def test_shards(build):
    def edit(text):
        return with_crl(text, FAST + ", shards: 3")
    with ca(build, edit=edit) as c:
        pems = [c.device(f"dev{i}")[1] for i in range(6)]
        for pem in pems:
            out = run("openssl", "x509", "-in", pem, "-noout", "-ext",
                      "crlDistributionPoints").stdout
            name = re.search(r"/crl/(factory-00[123]\.crl)", out).group(1)
            c.mica("revoke", "--file", pem)
            wait_for("on its shard", lambda n=name, p=pem: listed(c, p, n), 10)
            assert listed(c, pem)
            crl = fetch(c, name)
            text = text_of(crl)
            assert "Issuing Distribution Point: critical" in text, text
            assert "Only User Certificates" in text, text
            p = run("openssl", "verify", "-crl_check", "-extended_crl",
                    "-CAfile", c.root, "-untrusted", issuing(c), "-CRLfile",
                    pem_of(c, crl), pem, check=False)
            assert "certificate revoked" in p.stderr, p.stderr
        rows = c.json("crl", "show")["crls"]
        assert sorted(r["file"] for r in rows) == [
            "factory-001.crl", "factory-002.crl", "factory-003.crl",
            "factory.crl"], rows
        assert sum(r["entries"] for r in rows) == 12, rows


def rise_until_killed(c, pause):
    """CRLs are being made when everything dies at once."""
    generating = subprocess.Popen(
        [c.bin("mica"), "--config", c.conf, "crl", "generate"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(pause)
    c.process.kill()
    c.process.wait()
    c.process = None
    generating.wait()


def test_numbers_rise_over_jumps_restarts_and_crashes(build):
    """Whatever happens, what is served has a number above all that were served
    before, or is what was served last."""
    random.seed(5280)
    with ca(build, edit=with_crl) as c:
        _, pem = c.device("dev")
        last = number(fetch(c))
        for i in range(RISES):
            what = random.choice(("restart", "crash", "keeper", "signer"))
            if what == "restart":
                c.stop()
            elif what == "crash":
                rise_until_killed(c, random.uniform(0, 0.03))
            else:
                os.kill(c.pids(what)[0], signal.SIGKILL)
            if c.process is None:
                # What was published may be dated at the greatest of these.
                c.clock_shift = random.randrange(-10**8, 10**6)
                c.start(ready=False)
            wait_for("a new CRL", lambda: c.mica(
                "crl", "generate", check=False).returncode == 0, 20)
            new = number(fetch(c))
            assert new > last, (i, what, c.clock_shift, last, new)
            last = new
            if i % 10 == 0:
                c.mica("hold" if i % 20 == 0 else "release", "--file", pem)


def test_restart_serves_what_stands(build):
    with ca(build, edit=with_crl) as c:
        first = number(fetch(c))
        c.stop()
        c.start()
        assert number(fetch(c)) == first
        # A worker that starts anew is told, too.
        for pid in c.pids("worker"):
            os.kill(pid, signal.SIGKILL)
        wait_for("workers", lambda: len(c.pids("worker")) > 0, 10)
        wait_for("served again",
                 lambda: c.curl(url(c), check=False).status == 200, 10)
        # And a new keeper finds it.
        os.kill(c.pids("keeper")[0], signal.SIGKILL)
        wait_for("show", lambda: c.mica("crl", "show",
                                        check=False).returncode == 0, 10)
        assert number(fetch(c)) == first
        # So do the processes of a hand-over.
        os.kill(c.process.pid, signal.SIGHUP)
        c.wait_ready()
        assert number(fetch(c)) == first


def test_file_that_is_gone_comes_back(build):
    with ca(build, edit=with_crl) as c:
        path = os.path.join(c.home, "published", "factory.crl")
        first = number(fetch(c))
        os.unlink(path)
        wait_for("a new file", lambda: os.path.exists(path), 10)
        wait_for("a new CRL", lambda: number(fetch(c)) > first, 10)
        assert [f for f in os.listdir(os.path.dirname(path))
                if f != "factory.crl"] == []


def readyz(c):
    url = f"http://127.0.0.1:{c.prom}/readyz"
    try:
        with urllib.request.urlopen(url, timeout=2) as r:
            return r.status, r.read().decode().strip()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode().strip()


def test_alarm_before_and_when_a_crl_runs_out(build):
    """The keeper may not write its folder: what was to last runs out."""
    def edit(text):
        return with_crl(text, "every: 1min, valid: 2min")
    with ca(build, edit=edit) as c:
        m = c.metrics()
        assert m["mica_crls_run_out"] == 0
        left = m["mica_crl_next_update_timestamp_seconds"] - time.time()
        assert 0 < left <= 121, left
        c.stop()
        c.jump(100)
        os.chmod(os.path.join(c.home, "published"), 0o500)
        try:
            c.start()
            wait_for("a warning", lambda: "crl.running_out" in c.log(), 20)
            m = c.metrics()
            assert m["mica_crl_failures_total"] > 0, m
            assert m["mica_crls_running_out"] == 1, m
            assert readyz(c) == (
                200, "the CRL factory.crl is about to run out")
            c.jump(125)
            wait_for("readyz red", lambda: readyz(c) == (
                503, "the CRL factory.crl has run out or is missing"), 40)
            # The log and the metric follow with the next tick.
            wait_for("the alarm", lambda: "crl.run_out" in c.log(), 5)
            wait_for("metric", lambda: c.metrics()["mica_crls_run_out"] == 1,
                     5)
            text = c.mica("status").stdout
            assert "factory.crl has run out" in text, text
        finally:
            os.chmod(os.path.join(c.home, "published"), 0o755)
        c.wait_ready()
        assert c.metrics()["mica_crls_run_out"] == 0
