"""EST with clients that nobody wrote for us: Python's http.client and ssl,
BouncyCastle, wget, and scripts around openssl s_client and gnutls-cli. Each
does what it does by itself; the certificates are judged by openssl."""

import base64
import http.client
import os
import re
import ssl
import subprocess

from harness import Ca, Skip, ca, need, run, subject
from test_est import anchored, early, idevid, write

TLS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
JARS = [f"/usr/share/java/{name}.jar" for name in
        ("bcpkix", "bcprov", "bcutil")]
CLIENT = os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "tools", "EstClient.java")


def basic(user, token):
    return "Basic " + base64.b64encode(f"{user}:{token}".encode()).decode()


def read(path):
    with open(path, "rb") as f:
        return f.read()


# --- Python
class Connection(http.client.HTTPSConnection):
    """One that can go on with an earlier TLS session."""

    def __init__(self, c, version, cert=None, key=None, context=None,
                 session=None):
        if context is None:
            context = ssl.create_default_context(cafile=c.root)
            context.minimum_version = context.maximum_version = TLS[version]
            if cert:
                context.load_cert_chain(cert, key)
        self.context, self.session = context, session
        super().__init__("127.0.0.1", c.est, timeout=30, context=context)

    def connect(self):
        http.client.HTTPConnection.connect(self)
        self.sock = self.context.wrap_socket(
            self.sock, server_hostname="127.0.0.1", session=self.session)

    def ask(self, op, body=None, label="line1", **headers):
        """Status and body; the header must be in the customary form."""
        if body is not None:
            headers.setdefault("Content-Type", "application/pkcs10")
        self.request("GET" if body is None else "POST",
                     f"/.well-known/est/{label}/{op}", body, headers)
        r = self.getresponse()
        data = r.read()
        names = [name for name, _ in r.getheaders()]
        assert all(re.fullmatch(r"(WWW|[A-Z][a-z]+)(-[A-Z][a-z]+)*", name)
                   for name in names), names
        assert len(names) <= 16 and len(set(names)) == len(names), names
        assert "Transfer-Encoding" not in names
        assert r.getheader("Content-Length") == str(len(data))
        return r, data


class Got:
    """What Ca.cert_of() wants."""

    def __init__(self, r, data):
        self.status, self.body = r.status, data

    def text(self):
        return self.body.decode(errors="replace")


def pieces(data, size):
    for i in range(0, len(data), size):
        yield data[i:i + size]


def test_python_does_all_on_one_connection(build):
    with ca(build, edit=early) as c:
        for version in TLS:
            name = "py-" + version
            key, b64 = c.csr(name, f"/CN={name}")
            body, token = read(b64), c.token(name)
            conn = Connection(c, version)
            r, data = conn.ask("cacerts")
            sock = conn.sock
            assert r.status == 200 and base64.b64decode(data, validate=True)
            r, data = conn.ask("csrattrs")
            assert r.status == 200 and base64.b64decode(data)[0] == 0x30
            # Challenged, then chunked with the credential.
            r, data = conn.ask("simpleenroll", body)
            assert r.status == 401 and data == b""
            assert r.getheader("WWW-Authenticate") == 'Basic realm="mica"'
            r, data = conn.ask("simpleenroll", pieces(body, 100),
                               Authorization=basic(name, token))
            pem = c.cert_of(Got(r, data), name)
            c.verify(pem)
            # A wrong one is challenged again, and the connection stays.
            r, _ = conn.ask("simpleenroll", body,
                            Authorization=basic(name, "0" * 26))
            assert r.status == 401
            r, _ = conn.ask("cacerts")
            assert r.status == 200 and conn.sock is sock
            conn.close()
            renew_and_resume(c, version, name, key, pem)


def renew_and_resume(c, version, name, key, pem):
    """Renewals with the client certificate, in full handshakes and on a
    resumed session: the certificate that began it counts."""
    first = Connection(c, version, pem, key)
    r, data = first.ask("cacerts")
    assert r.status == 200
    session = first.sock.session
    new_key, b64 = c.csr(name + "-a", f"/CN={name}/O=Example")
    r, data = first.ask("simplereenroll", read(b64))
    c.verify(c.cert_of(Got(r, data), name + "-a"))
    _, b64 = c.csr(name + "-b", f"/CN={name}/O=Example")
    again = Connection(c, version, context=first.context, session=session)
    r, data = again.ask("simplereenroll", read(b64))
    assert again.sock.session_reused
    pem_b = c.cert_of(Got(r, data), name + "-b")
    c.verify(pem_b)
    assert subject(pem_b) == subject(pem)
    first.close()
    again.close()
    # Resumed or not, a device that was suspended is refused.
    c.mica("device", "suspend", name)
    _, b64 = c.csr(name + "-c", f"/CN={name}/O=Example")
    again = Connection(c, version, context=first.context, session=session)
    r, data = again.ask("simplereenroll", read(b64))
    assert again.sock.session_reused and r.status == 400, (r.status, data)
    again.close()


def test_python_enrols_by_the_makers_certificate(build):
    with Ca(build) as c:
        anchors = anchored(c)
        c.start()
        for version in TLS:
            sn = "SN-" + version
            key, pem = idevid(c, anchors["maker"], "idev" + version,
                              f"/O=Example/serialNumber={sn}/CN=unit")
            _, b64 = c.csr("ldev" + version, f"/CN={sn}")
            conn = Connection(c, version, pem, key)
            r, data = conn.ask("simpleenroll", read(b64), label="idevid")
            c.verify(c.cert_of(Got(r, data), "ldev" + version))
            conn.close()


def below_sub_ca(c, anchor, sn):
    """An IDevID as makers write them: RSA, a CA between it and the anchor,
    hardwareModuleName (RFC 4108) in a critical subjectAltName, no end."""
    sub_key, key = c.key("sub", "rsa2048"), c.key("unit", "rsa2048")
    sub, pem = c.path("sub.pem"), c.path("unit.pem")
    ext = write(c, "ext", b"""[sub]
basicConstraints=critical,CA:TRUE,pathlen:0
keyUsage=critical,keyCertSign
[unit]
keyUsage=critical,digitalSignature,keyEncipherment
subjectAltName=critical,otherName:1.3.6.1.5.5.7.8.4;SEQ:module
[module]
type=OID:1.3.6.1.4.1.99999.1
serial=FORMAT:HEX,OCT:0102
""")
    for path, k, subj, ca_cert, ca_key, section in (
            (sub, sub_key, "/O=Maker/CN=Sub", anchor[1], anchor[0], "sub"),
            (pem, key, f"/O=Maker/serialNumber={sn}", sub, sub_key, "unit")):
        req = path + ".req"
        run("openssl", "req", "-new", "-key", k, "-subj", subj, "-out", req)
        run("openssl", "x509", "-req", "-in", req, "-CA", ca_cert, "-CAkey",
            ca_key, "-days", "3000", "-extfile", ext, "-extensions", section,
            "-out", path)
    both = write(c, "both.pem", read(pem) + read(sub))
    return key, both, pem


def test_an_idevid_below_a_sub_ca_enrols(build):
    with Ca(build) as c:
        anchors = anchored(c)
        c.start()
        sn = "PID:C9300 SN:FOC1234ABCD"
        key, both, alone = below_sub_ca(c, anchors["maker"], sn)
        _, b64 = c.csr("ldev", "/", "rsa2048")
        for version in TLS:
            conn = Connection(c, version, both, key)
            r, data = conn.ask("simpleenroll", read(b64), label="idevid")
            c.verify(c.cert_of(Got(r, data), "ldev"))
            assert f"CN={sn}" in subject(c.path("ldev.pem"))
            conn.close()
            # Without the sub CA nobody can tell who vouches.
            conn = Connection(c, version, alone, key)
            r, data = conn.ask("simpleenroll", read(b64), label="idevid")
            assert r.status == 401, (r.status, data)
            conn.close()


# --- scripts
def script(c, name):
    """Four requests at once, as a shell script writes them."""
    _, b64 = c.csr(name, f"/CN={name}")
    body = read(b64)
    base = b"/.well-known/est/line1/"
    post = (b"POST " + base + b"simpleenroll HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/pkcs10\r\n")
    chunk = b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
    return (b"GET " + base + b"cacerts HTTP/1.1\r\nHost: localhost\r\n\r\n"
            b"GET " + base + b"csrattrs HTTP/1.1\r\nHost: localhost\r\n\r\n" +
            post + b"Content-Length: %d\r\n\r\n" % len(body) + body +
            b"\r\n" +  # what libest leaves after a body
            post + b"Authorization: " +
            basic(name, c.token(name)).encode() + b"\r\n"
            b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" +
            chunk)


def answered(c, argv, name):
    p = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL)
    p.stdin.write(script(c, name))
    p.stdin.flush()
    # Its input stays open: it ends because we closed, as asked.
    out = p.stdout.read()
    p.stdin.close()
    assert p.wait(20) is not None
    found = re.findall(rb"HTTP/1\.1 (\d+)", out)
    assert found == [b"200", b"200", b"401", b"200"], (argv, out)
    r = Got(type("R", (), {"status": 200}),
            out[out.rindex(b"\r\n\r\n") + 4:].split(b"- Peer has")[0].strip())
    c.verify(c.cert_of(r, name))


def test_s_client_and_gnutls_cli_pipeline(build):
    need("gnutls-cli")
    with ca(build) as c:
        for version, option in (("1.2", "-tls1_2"), ("1.3", "-tls1_3")):
            answered(c, ["openssl", "s_client", option, "-quiet", "-CAfile",
                         c.root, "-verify_return_error", "-connect",
                         f"127.0.0.1:{c.est}"], "ossl-" + version)
            answered(c, ["gnutls-cli", "--x509cafile", c.root, "--port",
                         str(c.est), "--priority",
                         f"NORMAL:-VERS-ALL:+VERS-TLS{version}",
                         "127.0.0.1"], "gtls-" + version)


def test_curl_and_wget_in_their_many_ways(build):
    need("wget")
    ways = (["--http1.0"], ["--tls-max", "1.2"], ["--tlsv1.3"], ["--anyauth"],
            ["--http1.0", "--anyauth"], ["--http2"],
            ["-H", "Expect: 100-continue"], ["-H", "Connection: close"],
            ["-H", "Transfer-Encoding: chunked", "--anyauth"],
            ["--compressed"])
    # Of its own accord curl says application/x-www-form-urlencoded.
    kinds = ([], ["-H", "Content-Type:"],
             ["-H", "Content-Type: application/pkcs10; charset=utf-8"])
    with ca(build) as c:
        for i, way in enumerate(ways):
            name = f"curl-{i}"
            _, b64 = c.csr(name, f"/CN={name}")
            a = c.enroll(b64, *way, "-u", f"{name}:{c.token(name)}")
            c.verify(c.cert_of(a, name))
        for i, kind in enumerate(kinds):
            name = f"kind-{i}"
            _, b64 = c.csr(name, f"/CN={name}")
            a = c.curl(c.url("simpleenroll"), *kind, "--data-binary",
                       f"@{b64}", "-u", f"{name}:{c.token(name)}")
            c.verify(c.cert_of(a, name))
        for i, way in enumerate(([], ["--auth-no-challenge"])):
            name = f"wget-{i}"
            _, b64 = c.csr(name, f"/CN={name}")
            p = subprocess.run(
                ["wget", "-q", "-O", "-", "--tries=1", "--timeout=30",
                 f"--ca-certificate={c.root}", f"--user={name}",
                 f"--password={c.token(name)}", f"--post-file={b64}", *way,
                 c.url("simpleenroll")], capture_output=True, check=True,
                timeout=60)
            r = type("R", (), {"status": 200})
            c.verify(c.cert_of(Got(r, p.stdout), name))


# --- requests
def test_requests_as_tools_write_them(build):
    """certtool and openssl -text put words above the armour, pki writes DER,
    openssl the subject's kinds of text as it likes."""
    need("certtool", "pki")
    with ca(build) as c:
        key = c.key("key")
        template = write(c, "template", b"cn = certtool\ntls_www_client\n"
                         b"signing_key\n")
        run("certtool", "--generate-request", "--load-privkey", key,
            "--template", template, "--outfile", c.path("certtool.req"))
        run("openssl", "req", "-new", "-text", "-key", key, "-subj",
            "/CN=text", "-sha512", "-out", c.path("text.req"))
        run("openssl", "req", "-new", "-key", c.key("rsa", "rsa2048"),
            "-subj", "/CN=usual", "-addext", "basicConstraints=CA:FALSE",
            "-addext", "keyUsage=nonRepudiation,digitalSignature,"
            "keyEncipherment", "-out", c.path("usual.req"))
        run("openssl", "req", "-new", "-key", c.path("rsa.key"), "-subj",
            "/CN=pss", "-sigopt", "rsa_padding_mode:pss", "-sigopt",
            "rsa_pss_saltlen:-1", "-out", c.path("pss.req"))
        write(c, "pki.req", subprocess.run(
            ["pki", "--req", "--in", key, "--type", "priv", "--dn", "CN=pki"],
            capture_output=True, check=True).stdout)
        for name in ("certtool", "text", "usual", "pss", "pki"):
            a = c.enroll(c.path(name + ".req"), "-u",
                         f"{name}:{c.token(name)}")
            c.verify(c.cert_of(a, name))
            assert "CN=" + name in subject(c.path(name + ".pem"))


# --- BouncyCastle
def java(c, version, *more):
    jars = ":".join(JARS + [c.dir])
    return run("java", "-cp", jars, "EstClient", f"server=127.0.0.1:{c.est}",
               f"root={c.root}", f"tls=TLSv{version}", *more,
               timeout=120).stdout.split()


def test_bouncycastle(build):
    if not os.environ.get("MICA_TEST_CI"):
        raise Skip("runs under ./check --ci")
    need("java", "javac")
    if not all(os.path.exists(jar) for jar in JARS):
        raise Skip("libbcpkix-java is not installed")
    with Ca(build, edit=early) as c:
        run("javac", "-cp", ":".join(JARS), "-d", c.dir, CLIENT, timeout=120)
        anchors = anchored(c)
        c.start()
        for version in TLS:
            name, sn = "bc-" + version, "SN-" + version
            key, _ = c.csr(name, f"/CN={name}")
            pem = c.path(name + ".pem")
            said = java(c, version, "label=line1", f"user={name}",
                        f"token={c.token(name)}", f"csr={c.path(name)}.csr",
                        f"out={pem}", "cacerts", "csrattrs", "enroll")
            assert said == "cacerts 2 csrattrs true enroll 1".split(), said
            c.verify(pem)
            c.csr("new", f"/CN={name}/O=Example", "rsa2048")
            java(c, version, "label=line1", f"cert={pem}", f"key={key}",
                 f"csr={c.path('new.csr')}", f"out={c.path('new.pem')}",
                 "reenroll")
            c.verify(c.path("new.pem"))
            key, pem = idevid(c, anchors["maker"], "idev" + version,
                              f"/O=Example/serialNumber={sn}/CN=unit")
            c.csr("ldev", f"/CN={sn}")
            java(c, version, "label=idevid", f"cert={pem}", f"key={key}",
                 f"csr={c.path('ldev.csr')}", f"out={c.path('ldev.pem')}",
                 "enroll")
            c.verify(c.path("ldev.pem"))
