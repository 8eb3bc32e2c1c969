"""SCEP (RFC 8894): strongSwan's pki, certmonger's scep-submit, micromdm's
client, and a client of our own on libcrypto's CMS."""

import base64
import http.client
import os
import random
import re
import subprocess
import tempfile
import urllib.parse

from harness import Ca, Skip, need, run, serial, subject, wait_for
from softhsm import PIN, Token

FAIL = {"badAlg": "0", "badMessageCheck": "1", "badRequest": "2",
        "badCertId": "4"}


def edit(more=""):
    """A profile for RSA keys, an RA, and two labels of SCEP."""
    def change(text):
        text = text.replace(
            "keys:\n", "keys:\n  ra: { file: ra.key }\n", 1)
        text = text.replace(
            "key: issuing }", "key: issuing, ra: { key: ra } }", 1)
        text = text.replace(
            "profiles:\n", "profiles:\n"
            "  router:\n"
            "    keys: [rsa2048]\n"
            "    validity: 10d\n"
            "    subject: { CN: \"%{device}\" }\n"
            "    key_usage: [digitalSignature, keyEncipherment]\n"
            "    eku: [client_auth]\n"
            "    renew: { from: 0%, new_key: allowed }\n", 1)
        return text.replace(
            "enroll:\n", "enroll:\n  scep:\n"
            "    - { authority: factory, profile: router }\n"
            "    - { label: old, authority: factory, profile: router,\n"
            "        allow: [token], legacy: [sha1, des3] }\n", 1) + more
    return change


class Scep(Ca):
    """A daemon that speaks SCEP."""

    def __init__(self, build, more="", init=()):
        super().__init__(build, edit=edit(more), init=init)
        key = os.path.join(self.home, "keys", "ra.key")
        run(self.bin("mica-signer"), "--ceremony", "make-key", "--out", key,
            "--type", "rsa2048")
        st = os.stat(os.path.join(self.home, "keys", "issuing.key"))
        os.chown(key, st.st_uid, st.st_gid)
        self.count = 0

    def up(self):
        self.start()
        self.fetch_ra()
        return self

    def scep(self, label="", op="PKIOperation"):
        where = f"/{label}" if label else ""
        return f"http://127.0.0.1:{self.http}/scep{where}?operation={op}"

    def fetch_ra(self):
        """GetCACert: the RA's certificate and the CA's, as PEM files."""
        answer = wait_for("the RA's certificate", lambda: (
            lambda a: a if a.status == 200 else None)(
                self.curl(self.scep(op="GetCACert"))))
        assert answer.headers["Content-Type"] == \
            "application/x-x509-ca-ra-cert", answer.headers
        pem = run_bytes("openssl", "pkcs7", "-inform", "DER", "-print_certs",
                        stdin=answer.body).decode()
        certs = re.findall(r"-----BEGIN CERT.*?-----END CERTIFICATE-----\n",
                           pem, re.S)
        self.ra, self.ca_pem = self.path("ra.pem"), self.path("issuer.pem")
        for path, text in zip((self.ra, self.ca_pem), certs):
            with open(path, "w") as f:
                f.write(text)
        return len(certs)

    def router_token(self, device):
        return self.token(device, "--profile", "router")

    def message(self, content, key, cert, kind="19", transaction=None,
                digest="sha256", cipher="aes-128-cbc", ra=None):
        self.count += 1
        out = self.path(f"message{self.count}")
        run(self.bin("tests/e2e/scep_client"), "make", out, content, key,
            cert, ra or self.ra, kind, transaction or f"t+/={self.count}",
            digest, cipher)
        return out

    def post(self, message, label=""):
        return self.curl(self.scep(label), "--data-binary", f"@{message}",
                         "-H", "Content-Type: application/octet-stream")

    def read(self, answer, key, cert):
        """The CertRep's attributes; the certificate, if any, as PEM."""
        assert answer.status == 200, (answer.status, answer.text())
        assert answer.headers["Content-Type"] == "application/x-pki-message"
        reply, p7 = self.path("reply"), self.path(f"p7.{self.count}")
        with open(reply, "wb") as f:
            f.write(answer.body)
        text = run(self.bin("tests/e2e/scep_client"), "read", reply, key,
                   cert, self.ra, p7).stdout
        out = dict(line.split("=", 1) for line in text.splitlines())
        assert out["type"] == "3" and out["nonce"] == "same", out
        if out["status"] == "0":
            out["pem"] = self.path(f"cert{self.count}.pem")
            run("openssl", "pkcs7", "-inform", "DER", "-in", p7,
                "-print_certs", "-out", out["pem"])
        return out

    def self_signed(self, name, key=None):
        key = key or self.key(name, "rsa2048")
        cert = self.path(name + ".self.pem")
        run("openssl", "req", "-x509", "-new", "-key", key, "-subj",
            f"/CN={name}", "-days", "2", "-out", cert)
        return key, cert

    def request(self, name, key, challenge=None):
        self.csr(name, f"/CN={name}", key=key, challenge=challenge)
        return self.path(name + ".csr")

    def enrol(self, name, **kw):
        """By token: key, its own certificate, and what came back."""
        key, cert = self.self_signed(name)
        content = self.request(name, key, self.router_token(name))
        return key, cert, self.read(
            self.post(self.message(content, key, cert, **kw)), key, cert)


class Poster:
    """Messages over one connection: (status, type, body) each."""

    def __init__(self, c):
        self.http = http.client.HTTPConnection("127.0.0.1", c.http,
                                               timeout=60)

    def post(self, body):
        self.http.request("POST", "/scep?operation=PKIOperation", body)
        r = self.http.getresponse()
        return r.status, r.getheader("Content-Type"), r.read()


def run_bytes(*argv, stdin):
    return subprocess.run(argv, input=stdin, capture_output=True, check=True,
                          timeout=60).stdout


def test_capabilities_are_those_of_the_label(build):
    with Scep(build).up() as c:
        plain = c.curl(c.scep(op="GetCACaps")).text().split()
        old = c.curl(c.scep("old", op="GetCACaps")).text().split()
        assert {"AES", "SHA-256", "POSTPKIOperation", "Renewal",
                "SCEPStandard"} <= set(plain), plain
        assert not {"DES3", "SHA-1"} & set(plain), plain
        assert {"DES3", "SHA-1"} <= set(old) and "Renewal" not in old, old
        for extra in ("", "&message=", "&message=0", "&message=factory"):
            assert c.curl(c.scep(op="GetCACert") + extra).status == 200
        assert c.curl(c.scep("none", op="GetCACaps")).status == 404
        assert c.curl(c.scep(op="GetNextCACert")).status == 404
        # paths that clients expect, or add to what they are told
        at = lambda path: c.curl(f"http://127.0.0.1:{c.http}{path}"
                                 "?operation=GetCACaps")
        for path in ("/scep", "/scep/", "/cgi-bin/pkiclient.exe",
                     "/pkiclient.exe", "/scep/cgi-bin/pkiclient.exe",
                     "/certsrv/mscep/mscep.dll"):
            assert at(path).text().split() == plain, path
        for path in ("/scep/old", "/scep/old/", "/scep/old/pkiclient.exe",
                     "/scep/old/cgi-bin/pkiclient.exe"):
            assert at(path).text().split() == old, path
        for path in ("/scepold", "/scep/old/x", "/scep/ol", "/certsrv",
                     "/scep/old//", "/certsrv/mscep/mscep.dll/"):
            assert at(path).status == 404, path


def test_ra_certificate_outlives_a_restart(build):
    with Scep(build).up() as c:
        assert c.fetch_ra() >= 2
        usage = run("openssl", "x509", "-in", c.ra, "-noout", "-ext",
                    "keyUsage").stdout
        assert "Digital Signature, Key Encipherment" in usage, usage
        run("openssl", "verify", "-CAfile", c.root, "-untrusted", c.ca_pem,
            c.ra)
        before = serial(c.ra)
        c.stop()
        c.up()
        assert serial(c.ra) == before


def test_revoked_ra_serves_no_more(build):
    if not os.environ.get("MICA_TEST_CI"):
        raise Skip("runs under ./check --ci")
    with Scep(build).up() as c:
        key, cert = c.self_signed("router-1")
        content = c.request("router-1", key, c.router_token("router-1"))
        message = c.message(content, key, cert)
        c.mica("revoke", "--serial", serial(c.ra))
        # The keeper looks every half a minute.
        wait_for("the labels to close", lambda: c.curl(
            c.scep(op="GetCACert")).status == 503, 60)
        assert c.post(message).status == 503
        assert "its certificate was revoked" in c.log()
        c.stop()
        c.start()
        assert c.post(message).status == 503


def test_device_enrols_once_with_its_token(build):
    with Scep(build).up() as c:
        key, cert, got = c.enrol("router-1")
        assert got["status"] == "0", got
        assert subject(got["pem"]) == "CN=router-1"
        c.verify(got["pem"])
        # the same message again, within the hour: the same certificate
        again = c.read(c.post(c.path(f"message{c.count}")), key, cert)
        assert serial(again["pem"]) == serial(got["pem"])
        # in another transaction the token is spent
        content = c.path("router-1.csr")
        other = c.read(c.post(c.message(content, key, cert)), key, cert)
        assert other["status"] == "2", other
        # the token again, for another key
        other, own = c.self_signed("router-2")
        with open(c.path("router-1.cnf")) as f:
            spent = re.search("challengePassword=(.*)", f.read())[1]
        content = c.request("router-1", other, spent)
        denied = c.read(c.post(c.message(content, other, own)), other, own)
        assert denied["status"] == "2", denied
        assert denied["fail"] == FAIL["badRequest"], denied
        assert denied["text"], denied
        shown = c.json("device", "show", "router-1")
        assert len(shown["certificates"]) == 1, shown


def test_get_carries_a_message(build):
    with Scep(build).up() as c:
        key, cert = c.self_signed("router-1")
        content = c.request("router-1", key, c.router_token("router-1"))
        with open(c.message(content, key, cert), "rb") as f:
            text = base64.b64encode(f.read()).decode()
        url = c.scep() + "&message=" + urllib.parse.quote(text, safe="")
        assert c.read(c.curl(url), key, cert)["status"] == "0"
        # plus signs as they are, and line ends
        lines = "%0A".join(text[i:i + 64] for i in range(0, len(text), 64))
        url = c.scep() + "&message=" + lines.replace("/", "%2F")
        assert c.read(c.curl(url), key, cert)["status"] == "0"
        assert c.curl(c.scep() + "&message=@").status == 400
        assert c.curl(c.scep()).status == 400


def test_renewal_in_both_forms(build):
    with Scep(build).up() as c:
        key, _, got = c.enrol("router-1")
        for kind in ("17", "19"):
            new = c.key(f"new{kind}", "rsa2048")
            content = c.request("router-1", new)
            renewed = c.read(c.post(c.message(
                content, key, got["pem"], kind=kind)), key, got["pem"])
            assert renewed["status"] == "0", renewed
            assert serial(renewed["pem"]) != serial(got["pem"])
            key, got = new, renewed
        # a stranger's certificate renews nothing
        own, cert = c.self_signed("router-1", c.key("own", "rsa2048"))
        content = c.request("router-1", own)
        denied = c.read(c.post(c.message(content, own, cert, kind="17")),
                        own, cert)
        assert denied["status"] == "2", denied
        # and at a label that does not renew, ours does not either
        content = c.request("router-1", key)
        denied = c.read(c.post(c.message(
            content, key, got["pem"], kind="17"), "old"), key, got["pem"])
        assert denied["status"] == "2" and "renew" in denied["text"], denied


def test_weak_algorithms_need_their_label(build):
    with Scep(build).up() as c:
        key, cert = c.self_signed("router-1")
        content = c.request("router-1", key, c.router_token("router-1"))
        for digest, cipher in (("sha1", "aes-128-cbc"),
                               ("sha256", "des-ede3-cbc"),
                               ("md5", "aes-128-cbc"),
                               ("sha256", "camellia-128-cbc")):
            message = c.message(content, key, cert, digest=digest,
                                cipher=cipher)
            got = c.read(c.post(message), key, cert)
            assert got["status"] == "2" and got["fail"] == FAIL["badAlg"], got
        message = c.message(content, key, cert, digest="sha1",
                            cipher="des-ede3-cbc")
        assert c.read(c.post(message, "old"), key, cert)["status"] == "0"
        # the request inside, too
        key, cert = c.self_signed("router-2")
        content = c.request("router-2", key, c.router_token("router-2"))
        run("openssl", "req", "-new", "-key", key, "-config",
            c.path("router-2.cnf"), "-sha1", "-outform", "DER", "-out",
            content)
        message = c.message(content, key, cert)
        got = c.read(c.post(message), key, cert)
        assert got["status"] == "2" and got["fail"] == FAIL["badAlg"], got
        assert c.read(c.post(message, "old"), key, cert)["status"] == "0"


def test_refusals_say_little_to_strangers(build):
    with Scep(build).up() as c:
        key, cert = c.self_signed("router-1")
        # no token, a wrong one, another's key, an unknown type, no request;
        # a poll and a question about a certificate that name none
        rows = [
            (lambda: c.request("router-1", key), "19", "badRequest"),
            (lambda: c.request("router-1", key, "0" * 26), "19",
             "badRequest"),
            (lambda: c.request("router-1", c.key("x", "rsa2048")), "19",
             "badMessageCheck"),
            (lambda: c.request("router-1", key), "18", "badRequest"),
            (lambda: cert, "19", "badMessageCheck"),
            (lambda: c.request("router-1", key), "20", "badCertId"),
            (lambda: c.request("router-1", key), "22", "badCertId"),
        ]
        for i, (prepare, kind, fail) in enumerate(rows):
            content = prepare()
            got = c.read(c.post(c.message(content, key, cert, kind=kind)),
                         key, cert)
            assert got["status"] == "2", (i, got)
            assert got["fail"] == FAIL[fail], (i, got)
            assert "(reference " in got["text"], (i, got)
            assert "token" not in got["text"], (i, got)
        # what is no message at all has no answer of its kind
        assert c.curl(c.scep(), "--data-binary", "hello").status == 400
        # for somebody else
        _, elsewhere = c.self_signed("elsewhere")
        got = c.read(c.post(c.message(content, key, cert, ra=elsewhere)),
                     key, cert)
        assert got["fail"] == FAIL["badCertId"], got
        assert c.metrics()['mica_scep_answers_total{result="refused"}'] >= 8
        no_content_is_read_by_openssl_and_by_cryptlib(
            c, c.path(f"message{c.count}"), key, cert)


def no_content_is_read_by_openssl_and_by_cryptlib(c, message, key, cert):
    """The former wants an empty string, the latter none at all, as RFC 8894
    has it, and is known by its headers."""
    post = ("--data-binary", f"@{message}")
    unnamed = ("-A", "")
    uncached = ("-H", "Cache-Control: no-cache, no-store")
    for more, empty in (((), True), (unnamed, True), (uncached, True),
                        (unnamed + uncached, False)):
        answer = c.curl(c.scep(), *post, *more)
        lines = run_bytes("openssl", "asn1parse", "-inform", "DER",
                          stdin=answer.body).decode().splitlines()
        at = [i for i, x in enumerate(lines) if "pkcs7-data" in x][0]
        assert ("d=5 " in lines[at + 2]) == empty, lines[:at + 3]
        if empty:
            assert c.read(answer, key, cert)["status"] == "2"
    with open(c.path("reply"), "wb") as f:
        f.write(answer.body)
    run("openssl", "cms", "-verify", "-inform", "DER", "-in",
        c.path("reply"), "-content", "/dev/null", "-binary", "-noverify",
        "-nointern", "-certfile", c.ra)


def test_curves_are_sent_to_est(build):
    with Scep(build).up() as c:
        key = c.key("curve")
        key, cert = c.self_signed("curve", key)
        rsa, own = c.self_signed("rsa")
        content = c.request("curve", key, c.router_token("curve"))
        answer = c.post(c.message(content, key, cert))
        got = c.read(answer, rsa, own)
        assert got["fail"] == FAIL["badAlg"], got


def test_get_cert(build):
    with Scep(build).up() as c:
        key, cert, got = c.enrol("router-1")
        asked = c.path("asked")
        number = serial(got["pem"])
        issuer = run("openssl", "x509", "-in", got["pem"], "-noout",
                     "-issuer", "-nameopt", "RFC2253").stdout
        assert issuer
        with open(asked, "wb") as f:
            f.write(issuer_and_serial(got["pem"], number))
        found = c.read(c.post(c.message(asked, key, cert, kind="21")), key,
                       cert)
        assert found["status"] == "0", found
        assert serial(found["pem"]) == number
        # sscep names the RA, which signs its answers, as the issuer
        with open(asked, "wb") as f:
            f.write(issuer_and_serial(got["pem"], number, c.ra))
        found = c.read(c.post(c.message(asked, key, cert, kind="21")), key,
                       cert)
        assert serial(found["pem"]) == number, found
        with open(asked, "wb") as f:
            f.write(issuer_and_serial(got["pem"], "01" + number[2:]))
        none = c.read(c.post(c.message(asked, key, cert, kind="21")), key,
                      cert)
        assert none["fail"] == FAIL["badCertId"], none


def test_certificate_of_the_maker_enrols(build):
    """IEEE 802.1AR: the message is signed by the key that the maker certified,
    for a request of another."""
    with Scep(build) as c:
        maker, ca_pem = c.self_signed("maker")
        with open(c.conf) as f:
            text = f.read()
        with open(c.conf, "w") as f:
            f.write(text.replace(
                "  scep:\n", "  scep:\n    - { label: made, authority: "
                "factory, profile: router, allow: [idevid], anchors: "
                "[maker] }\n", 1) +
                f"\ntrust: {{ maker: {{ certificates: {ca_pem} }} }}\n")
        c.up()
        old = c.key("made", "rsa2048")
        csr, idevid = c.path("made.req"), c.path("made.pem")
        run("openssl", "req", "-new", "-key", old, "-subj",
            "/serialNumber=router-9", "-out", csr)
        run("openssl", "x509", "-req", "-in", csr, "-CA", ca_pem, "-CAkey",
            maker, "-days", "30", "-out", idevid)
        content = c.request("router-9", c.key("own", "rsa2048"))
        message = c.message(content, old, idevid)
        got = c.read(c.post(message, "made"), old, idevid)
        assert got["status"] == "0", got
        assert subject(got["pem"]) == "CN=router-9"
        # not where no anchor vouches
        denied = c.read(c.post(message), old, idevid)
        assert denied["status"] == "2", denied
        # and not for another device
        content = c.request("router-8", c.key("own8", "rsa2048"))
        denied = c.read(c.post(c.message(content, old, idevid), "made"), old,
                        idevid)
        assert denied["status"] == "2", denied


def ra_into(token, c):
    """The registration authority's key of a daemon that is not up yet."""
    key = os.path.join(c.home, "keys", "ra.key")
    owner = os.stat(key)
    run("softhsm2-util", "--import", key, "--token", token.label,
        "--label", "ra", "--id", "02", "--pin", PIN)
    token.give()
    os.unlink(key)
    pin = os.path.join(c.home, "keys", "hsm.pin")
    with open(pin, "w") as f:
        f.write(PIN + "\n")
    os.chmod(pin, 0o600)
    os.chown(pin, owner.st_uid, owner.st_gid)
    with open(c.conf) as f:
        text = f.read()
    with open(c.conf, "w") as f:
        f.write(text.replace(
            "ra: { file: ra.key }",
            'ra: { uri: "pkcs11:token=mica;object=ra", module: '
            f"{token.module}, pin: hsm.pin }}", 1))


def test_ra_key_in_a_token(build):
    """Content keys are unwrapped by the token, answers signed by it."""
    with Token() as token, Scep(build) as c:
        ra_into(token, c)
        c.up()
        _, _, got = c.enrol("router-1")
        assert got["status"] == "0", got
        c.verify(got["pem"])


def root_crl(c, passphrase):
    """Made by the root's key and named in the configuration."""
    out = os.path.join(c.home, "ca", "root.crl")
    c.mica("authority", "crl", "--out", out, "--root-passphrase-file",
           passphrase)
    with open(c.conf) as f:
        text = f.read()
    with open(c.conf, "w") as f:
        f.write(text.replace("chain: ca/root.pem,",
                             "chain: ca/root.pem, issuer_crl: ca/root.crl,"))


def test_get_crl(build):
    with tempfile.NamedTemporaryFile("w", suffix=".pass") as f:
        f.write("correct horse battery staple\n")
        f.flush()
        with Scep(build, init=("--root-passphrase-file", f.name)) as c:
            root_crl(c, f.name)
            c.up()
            get_crl(c)


def get_crl(c):
    key, cert, got = c.enrol("router-1")
    number = serial(got["pem"])
    asked = c.path("asked")
    with open(asked, "wb") as f:
        f.write(issuer_and_serial(got["pem"], number))

    def assert_of(ca_pem):
        found = c.read(c.post(c.message(asked, key, cert, kind="22")),
                       key, cert)
        assert found["status"] == "0", found
        with open(found["pem"]) as f:
            assert "BEGIN X509 CRL" in f.read()
        p = run("openssl", "crl", "-in", found["pem"], "-CAfile", ca_pem,
                "-noout")
        assert "verify OK" in p.stderr, p.stderr
    assert_of(c.ca_pem)
    with open(asked, "wb") as f:
        f.write(issuer_and_serial(got["pem"], number, c.ra))
    assert_of(c.ca_pem)
    # about the authority itself, as sscep asks
    with open(asked, "wb") as f:
        f.write(issuer_and_serial(c.ca_pem, serial(c.ca_pem)))
    assert_of(c.root)
    # of another issuer
    with open(asked, "wb") as f:
        f.write(issuer_and_serial(c.ca_pem, number))
    none = c.read(c.post(c.message(asked, key, cert, kind="22")), key,
                  cert)
    assert none["fail"] == FAIL["badCertId"], none


def der(tag, body):
    n = len(body)
    head = bytes([n]) if n < 128 else bytes([0x81, n]) if n < 256 else \
        bytes([0x82, n >> 8, n & 255])
    return bytes([tag]) + head + body


def issuer_and_serial(pem, number, issuer=None):
    """Of that certificate's issuer, or of whom that one is of."""
    raw = run_bytes("openssl", "x509", "-in", issuer or pem, "-outform",
                    "DER", stdin=b"")
    # the issuer Name stands behind the serial number and the algorithm
    lines = run_bytes("openssl", "asn1parse", "-inform", "DER",
                      stdin=raw).decode().splitlines()
    names = [x for x in lines if "d=2 " in x and "SEQUENCE" in x]
    name = names[3 if issuer else 1]
    at = int(name.split(":")[0])
    head = int(re.search(r"hl= ?(\d+)", name)[1])
    size = int(re.search(r"l= +(\d+)", name.split("hl=")[1])[1])
    return der(0x30, raw[at:at + head + size] +
               der(0x02, bytes.fromhex(number)))


def test_strongswan_enrols(build):
    need("pki")
    with Scep(build).up() as c:
        key = c.key("router-1", "rsa2048")
        out = c.path("router-1.der")
        with open(out, "wb") as f:
            p = subprocess.run(
                ["pki", "--scep", "--url",
                 f"http://127.0.0.1:{c.http}/scep", "--in", key, "--dn",
                 "CN=router-1", "--password", c.router_token("router-1"),
                 "--cacert-enc", c.ra, "--cacert-sig", c.ra, "--cacert",
                 c.ca_pem, "--cacert", c.root],
                stdout=f, stderr=subprocess.PIPE, timeout=60, check=False)
        assert p.returncode == 0, p.stderr.decode() + c.log()[-2000:]
        pem = c.path("router-1.pem")
        run("openssl", "x509", "-inform", "DER", "-in", out, "-out", pem)
        assert subject(pem) == "CN=router-1"
        c.verify(pem)


def test_certmonger_submits(build):
    submit = "/usr/lib/certmonger/scep-submit"
    need(submit)
    with Scep(build).up() as c:
        url = f"http://127.0.0.1:{c.http}/scep"
        caps = run(submit, "-u", url, "-c").stdout
        assert "SHA-256" in caps and "AES" in caps, caps
        certs = run(submit, "-u", url, "-C").stdout
        assert certs.count("BEGIN CERTIFICATE") >= 2, certs
        key, cert = c.self_signed("router-1")
        content = c.request("router-1", key, c.router_token("router-1"))
        with open(c.message(content, key, cert), "rb") as f:
            text = base64.encodebytes(f.read()).decode()
        message = c.path("message.p7")
        with open(message, "w") as f:
            f.write("-----BEGIN PKCS7-----\n" + text +
                    "-----END PKCS7-----\n")
        p = run(submit, "-u", url, "-r", c.ra, "-N", c.root, "-I", c.ca_pem,
                "-p", message, check=False)
        assert p.returncode == 0, p.stdout + p.stderr
        assert "BEGIN PKCS7" in p.stdout, p.stdout


def test_micromdm_is_told_that_single_des_is_not_taken(build):
    need("scepclient")
    with Scep(build).up() as c:
        p = run("scepclient", "-server-url",
                f"http://127.0.0.1:{c.http}/scep/old", "-private-key",
                c.path("mm.key"), "-certificate", c.path("mm.pem"), "-cn",
                "router-1", "-challenge", c.router_token("router-1"),
                "-ca-fingerprint", fingerprint(c.ra),
                check=False, cwd=c.dir)
        assert p.returncode != 0
        assert "cipher other than AES" in c.log(), p.stdout + p.stderr


def fingerprint(pem):
    out = run("openssl", "x509", "-in", pem, "-noout", "-fingerprint",
              "-sha256").stdout
    return out.strip().split("=")[1].replace(":", "").lower()


MUTATED = 5000
UNLIMITED = "\nlimits: { scep_rate_per_address: 0 }\n"


def flips(message, n, rng):
    for _ in range(n):
        out = bytearray(message)
        for _ in range(rng.choice((1, 1, 1, 2, 8))):
            at = rng.randrange(len(out))
            how = rng.randrange(4)
            if how == 0:
                out[at] ^= 1 << rng.randrange(8)
            elif how == 1:
                out[at] = rng.randrange(256)
            elif how == 2:
                del out[at:at + rng.randrange(1, 5)]
            else:
                out[at:at] = bytes([rng.randrange(256)])
        yield bytes(out)


def test_mutated_messages_are_answered_and_issue_nothing_else(build):
    """Of the outer layers, octets of a message that would be granted; of the
    inner one, of a request that is then enveloped and signed."""
    rng = random.Random(8894)
    with Scep(build, UNLIMITED).up() as c:
        key, cert = c.self_signed("router-1")
        content = c.request("router-1", key, c.router_token("router-1"))
        with open(c.message(content, key, cert), "rb") as f:
            good = f.read()
        with open(content, "rb") as f:
            request = f.read()
        inner = []
        for bad in flips(request, MUTATED // 25, rng):
            with open(content, "wb") as f:
                f.write(bad)
            with open(c.message(content, key, cert), "rb") as f:
                inner.append(f.read())
        # The signature of the certificate that a message brings along, and
        # which digests it announces, say nothing: it may be granted still.
        outer = (m for m in flips(good, 10 * MUTATED, rng)
                 if m != good)
        poster, replies, plain, sent = Poster(c), [], 0, 0
        issued = 0
        for message in inner + [next(outer)
                                for _ in range(MUTATED - len(inner))]:
            sent += 1
            status, kind, body = poster.post(message)
            if status != 200:
                assert 400 <= status < 500, (status, body)
                plain += 1
                continue
            assert kind == "application/x-pki-message", kind
            replies.append(c.path(f"reply{sent}"))
            with open(replies[-1], "wb") as f:
                f.write(body)
        for i in range(0, len(replies), 500):
            out = run(c.bin("tests/e2e/scep_client"), "check", c.ra,
                      *replies[i:i + 500]).stdout.split()
            assert len(out) == len(replies[i:i + 500]), out
            issued += out.count("status=0")
        assert sent == MUTATED and plain > 100 and len(replies) > 100
        shown = c.json("device", "show", "router-1")["certificates"]
        # What succeeded had all that was signed intact, and one answer.
        assert len(shown) <= 1 and (issued == 0 or len(shown) == 1), issued
        assert issued < MUTATED // 10, issued
        assert not any(p["restarts"] for p in
                       c.json("status")["processes"]), c.log()[-2000:]
