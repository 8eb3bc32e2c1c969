"""OCSP judged by openssl, gnutls and curl, and by nginx that staples it."""

import base64
import http.client
import os
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.parse

from harness import Skip, ca, free_port, need, run, serial, wait_for

# Holds, and releases, of one certificate under load.
CHANGES = 10000 if os.environ.get("MICA_TEST_LONG") else 200


def with_ocsp(text, options="", extra=""):
    """The authority says where its responder is."""
    port = re.search(r"http: \{ address: \"127.0.0.1:(\d+)\"", text).group(1)
    text, n = re.subn(
        r"factory: \{ certificate: ca/issuing.pem,",
        "factory: { ocsp_urls: [http://127.0.0.1:%s/ocsp], ocsp: { %s }, "
        "certificate: ca/issuing.pem," % (port, options), text)
    assert n == 1, text
    return text + extra


def issuing(c):
    return os.path.join(c.home, "ca", "issuing.pem")


def url(c):
    return f"http://127.0.0.1:{c.http}/ocsp"


def openssl(c, *more, check=True, pem=None):
    """openssl ocsp's answer as text; it verifies the signature."""
    argv = ["openssl", "ocsp", "-issuer", issuing(c), "-CAfile", c.root,
            "-verify_other", issuing(c), "-url", url(c), *more]
    if pem:
        argv += ["-cert", pem]
    p = run(*argv, check=check)
    return p.stdout + p.stderr


def status(c, pem, *more):
    out = openssl(c, *more, pem=pem)
    assert "Response verify OK" in out, out
    return re.search(re.escape(pem) + r": (\w+)", out).group(1)


def request(c, pem, *more):
    """An OCSPRequest, DER."""
    path = c.path("ocsp.req")
    run("openssl", "ocsp", "-issuer", issuing(c), "-cert", pem, "-no_nonce",
        "-reqout", path, *more)
    with open(path, "rb") as f:
        return f.read()


def get_url(c, der, safe=""):
    text = base64.b64encode(der).decode()
    return url(c) + "/" + urllib.parse.quote(text, safe=safe)


def test_good_held_unknown_by_openssl_and_gnutls(build):
    need("ocsptool")
    with ca(build, edit=with_ocsp) as c:
        _, pem = c.device("dev")
        assert url(c) in run("openssl", "x509", "-in", pem, "-noout",
                             "-ocsp_uri").stdout
        for more in ((), ("-no_nonce",), ("-sha256",),
                     ("-sha256", "-no_nonce")):
            assert status(c, pem, *more) == "good", more

        def gnutls():
            return run("ocsptool", "--ask=" + url(c), "--load-issuer",
                       issuing(c), "--load-cert", pem, "--load-trust",
                       issuing(c), "--nonce").stdout

        out = gnutls()
        assert "Verifying OCSP Response: Success" in out and "good" in out, out
        c.mica("device", "suspend", "dev")
        for more in ((), ("-no_nonce",), ("-sha256", "-no_nonce")):
            out = openssl(c, *more, pem=pem)
            assert ": revoked" in out and "certificateHold" in out, out
        assert "revoked" in gnutls()
        c.mica("device", "resume", "dev")
        assert status(c, pem, "-no_nonce") == "good"
        out = openssl(c, "-no_nonce", "-serial", "0x1234567890")
        assert "Response verify OK" in out and ": unknown" in out, out
        # Several at once, in the order asked.
        out = openssl(c, "-serial", "0x1234567890", pem=pem)
        assert "Response verify OK" in out, out
        assert ": unknown" in out and f"{pem}: good" in out, out


def test_responder_certificate_is_what_rfc_6960_asks_for(build):
    with ca(build, edit=with_ocsp) as c:
        _, pem = c.device("dev")
        out = openssl(c, "-resp_text", pem=pem)
        text = out[out.index("Certificate:"):]
        assert "OCSP Signing" in text and "OCSP No Check" in text, text
        assert "CA:FALSE" in text and "Digital Signature" in text, text
        assert "TLS Web" not in text, text
        assert re.search(r"Responder Id: [0-9A-F]{40}\n", out), out
        chain = c.path("responder.pem")
        with open(chain, "w") as f:
            f.write(out[out.index("-----BEGIN CERT"):
                        out.index("-----END CERTIFICATE-----") + 26])
        run("openssl", "verify", "-x509_strict", "-purpose", "ocsphelper",
            "-CAfile", c.root, "-untrusted", issuing(c), chain)


def test_the_authority_signs_itself_where_configured(build):
    with ca(build, edit=lambda t: with_ocsp(t, "key: ca")) as c:
        _, pem = c.device("dev")
        out = openssl(c, "-resp_text", pem=pem)
        assert "Response verify OK" in out and ": good" in out, out
        assert "Certificate:" not in out, out


def test_serials_never_issued_are_revoked_where_configured(build):
    with ca(build, edit=lambda t: with_ocsp(t, "unissued: revoked")) as c:
        out = openssl(c, "-resp_text", "-serial", "0x1234567890")
        assert "Response verify OK" in out, out
        assert "Cert Status: revoked" in out and "1970" in out, out
        assert "certificateHold" in out, out
        assert "1.3.6.1.5.5.7.48.1.9" in out or "Extended" in out, out


def test_headers_let_caches_do_their_work(build):
    with ca(build, edit=lambda t: with_ocsp(t, "valid: 2h")) as c:
        _, pem = c.device("dev")
        der = request(c, pem)
        a = c.curl(get_url(c, der))
        assert a.status == 200, a.text()
        assert a.headers["Content-Type"] == "application/ocsp-response"
        assert a.headers["Cache-Control"] == \
            "max-age=3600, public, no-transform, must-revalidate"
        for name in ("Date", "Last-Modified", "Expires", "ETag"):
            assert name in a.headers, a.headers
        # The spellings that are in use: escaped, not, and two slashes.
        b64 = base64.b64encode(der).decode()
        for path in ("/" + b64, "//" + b64, "/" + b64.rstrip("="),
                     "/" + b64.replace("+", "%2b").replace("/", "%2f")):
            b = c.curl(url(c) + path)
            # Another worker signed for itself, and says the same.
            assert b.status == 200 and len(b.body) > 200, path
            assert b.headers["ETag"] == a.headers["ETag"], path
        for header in (f"If-None-Match: {a.headers['ETag']}",
                       f"If-Modified-Since: {a.headers['Last-Modified']}"):
            b = c.curl(get_url(c, der), "-H", header)
            assert b.status == 304 and not b.body, (header, b.status)
            assert b.headers["ETag"] == a.headers["ETag"]
        c.mica("device", "suspend", "dev")
        b = c.curl(get_url(c, der), "-H",
                   f"If-None-Match: {a.headers['ETag']}")
        assert b.status == 200 and b.body != a.body
        # HEAD, HTTP/1.0, and a POST under any type.
        assert c.curl(get_url(c, der), "-I").status == 200
        for more in (("-H", "Content-Type: application/ocsp-request"),
                     ("-H", "Content-Type:"), ("--http1.0",)):
            with open(c.path("req"), "wb") as f:
                f.write(der)
            p = c.curl(url(c), "--data-binary", "@" + c.path("req"), *more)
            assert p.status == 200, (more, p.status)
            assert p.headers["ETag"] == b.headers["ETag"], more


def test_errors_stand_in_their_place(build):
    with ca(build, edit=with_ocsp) as c:
        _, pem = c.device("dev")
        # malformedRequest, in both methods
        with open(c.path("req"), "wb") as f:
            f.write(b"\x30\x80junk")
        for a in (c.curl(url(c), "--data-binary", "@" + c.path("req")),
                  c.curl(url(c) + "/AAAA")):
            assert a.status == 200 and a.body == bytes.fromhex("30030a0101")
            assert a.headers["Cache-Control"] == "no-store"
        # unauthorized: another's certificates
        p = run("openssl", "ocsp", "-issuer", c.root, "-cert", issuing(c),
                "-CAfile", c.root, "-url", url(c), check=False)
        assert "unauthorized" in p.stdout + p.stderr, p.stdout + p.stderr
        # A nonce of no octets, and of too many (RFC 9654 section 2.1)
        der = request(c, pem)
        assert c.curl(get_url(c, der)).body[:2] != b"\x30\x03"
        assert c.curl(url(c)).status == 405
        assert c.curl(url(c), "-X", "DELETE").status in (404, 405)


class Asker:
    """Kept connections, so that the kernel's choice of worker stays."""

    def __init__(self, c, count, der):
        self.body = der
        self.list = [http.client.HTTPConnection("127.0.0.1", c.http,
                                                timeout=30)
                     for _ in range(count)]

    def all(self):
        for h in self.list:
            h.request("POST", "/ocsp", self.body,
                      {"Content-Type": "application/ocsp-request"})
        answers = []
        for h in self.list:
            r = h.getresponse()
            answers.append(r.read())
            assert r.status == 200, r.status
        return answers

    def close(self):
        for h in self.list:
            h.close()


def load(c, der, stop):
    """Somebody else who asks all the time, each time of another worker."""
    path = urllib.parse.urlparse(get_url(c, der)).path
    while not stop.is_set():
        h = http.client.HTTPConnection("127.0.0.1", c.http, timeout=30)
        for _ in range(10):
            h.request("GET", path)
            h.getresponse().read()
        h.close()


def admin(c):
    """The admin socket, kept open: a process for each call is slow."""
    class Unix(http.client.HTTPConnection):
        def connect(self):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.connect(os.path.join(c.home, "admin.sock"))
    return Unix("localhost")


def set_device(api, name, verb):
    api.request("POST", f"/v1/devices/{name}/{verb}")
    r = api.getresponse()
    body = r.read()
    assert r.status == 200, (r.status, body)


# The revoked CertStatus begins with a1 and its time, good is 80 00.
def is_held(answer):
    return b"\xa1\x16\x18\x0f" in answer


def test_a_change_shows_in_the_first_answer_of_every_worker(build):
    def edit(text):
        return with_ocsp(text, extra="\nlog: { level: info }\n").replace(
            "process:\n", "process:\n  workers: 2\n")
    with ca(build, edit=edit) as c:
        _, pem = c.device("dev")
        asker = Asker(c, 40, request(c, pem))
        other = request(c, c.device("other")[1])
        api, stop = admin(c), threading.Event()
        noise = threading.Thread(target=load, args=(c, other, stop))
        noise.start()
        try:
            for i in range(CHANGES):
                set_device(api, "dev", "suspend")
                assert all(map(is_held, asker.all())), i
                set_device(api, "dev", "resume")
                assert not any(map(is_held, asker.all())), i
        finally:
            stop.set()
            noise.join()
            asker.close()
            api.close()
        c.stop()
        served = [int(x) for x in re.findall(
            r"ocsp.served pid=\"?\d+\"? answers=\"?(\d+)", c.log())]
        assert len(served) == 2, c.log()
        assert min(served) >= sum(served) / 4, served


def test_a_new_signer_brings_new_keys_and_answers_go_on(build):
    with ca(build, edit=with_ocsp) as c:
        _, pem = c.device("dev")
        assert status(c, pem) == "good"
        before = re.search(r"Responder Id: (\w+)",
                           openssl(c, "-resp_text", pem=pem)).group(1)
        os.kill(c.pids("signer")[0], signal.SIGKILL)

        def after():
            out = openssl(c, "-resp_text", pem=pem, check=False)
            found = re.search(r"Responder Id: (\w+)", out)
            if not found or found.group(1) == before:
                # tryLater, or nobody: never an answer that does not verify
                assert "Response Verify Failure" not in out, out
                return False
            assert "Response verify OK" in out, out
            return True
        wait_for("an answer by a new key", after)
        # Kept answers of the old one still verify.
        assert status(c, pem, "-no_nonce") == "good"


def test_keeper_and_workers_may_die(build):
    with ca(build, edit=with_ocsp) as c:
        _, pem = c.device("dev")
        for kind in ("keeper", "worker"):
            for pid in c.pids(kind):
                os.kill(pid, signal.SIGKILL)
            c.wait_ready()
            assert status(c, pem) == "good"
            assert status(c, pem, "-no_nonce") == "good"
        c.process.send_signal(signal.SIGHUP)
        time.sleep(2)
        c.wait_ready()
        assert status(c, pem) == "good"


def nginx_conf(c, port, pem, key):
    chain = c.path("nginx.pem")
    with open(chain, "w") as f:
        for p in (pem, issuing(c)):
            f.write(open(p).read())
    root = c.path("nginx-root.pem")
    with open(root, "w") as f:
        for p in (issuing(c), c.root):
            f.write(open(p).read())
    path = c.path("nginx.conf")
    with open(path, "w") as f:
        f.write(f"""daemon off; master_process off;
error_log {c.path('nginx.log')} info; pid {c.path('nginx.pid')};
events {{ }}
http {{
  access_log off;
  client_body_temp_path {c.path('b')}; proxy_temp_path {c.path('p')};
  fastcgi_temp_path {c.path('f')}; uwsgi_temp_path {c.path('u')};
  scgi_temp_path {c.path('s')};
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {chain}; ssl_certificate_key {key};
    ssl_trusted_certificate {root};
    ssl_stapling on; ssl_stapling_verify on;
    location / {{ return 200 "hello"; }}
  }}
}}
""")
    return path


def test_nginx_staples_and_curl_believes_it(build):
    nginx = "/usr/sbin/nginx"
    if not os.path.exists(nginx):
        raise Skip("nginx is not installed")
    with ca(build, edit=with_ocsp) as c:
        key, _ = c.csr("web", "/CN=web", extensions=(
            "subjectAltName=DNS:localhost",))
        pem = c.path("web.pem")
        csr = c.path("web.csr.pem")
        run("openssl", "req", "-inform", "DER", "-in", c.path("web.csr"),
            "-out", csr)
        c.mica("cert", "issue", "--device", "web", "--authority", "factory",
               "--profile", "tls-server", "--dns", "localhost", "--csr", csr,
               "--out", pem)
        port = free_port()
        p = subprocess.Popen([nginx, "-p", c.dir, "-c",
                              nginx_conf(c, port, pem, key)],
                             stderr=subprocess.DEVNULL)

        def stapled():
            return run("curl", "-sS", "--cert-status", "--cacert", c.root,
                       "--resolve", f"localhost:{port}:127.0.0.1",
                       f"https://localhost:{port}/", check=False)
        try:
            # nginx asks after the first handshake.
            wait_for("a staple", lambda: stapled().returncode == 0)
            assert stapled().stdout == "hello"
            assert b"HTTP/1.0" not in stapled().stdout.encode()
        finally:
            p.terminate()
            p.wait()
        assert serial(pem)
