"""EST with the clients that people have: openssl and curl, strongSwan's pki.
Judged by openssl verify and certtool."""

import base64
import os
import re
import subprocess

from harness import Ca, ca, need, run, serial, subject


def certs_of(c, answer, name="chain"):
    assert answer.status == 200, answer.text()
    der = base64.b64decode(answer.body, validate=True)
    path = c.path(name + ".p7")
    with open(path, "wb") as f:
        f.write(der)
    return run("openssl", "pkcs7", "-inform", "DER", "-in", path,
               "-print_certs").stdout


def test_cacerts_is_the_chain_on_one_line(build):
    with ca(build) as c:
        for label in ("line1", ""):
            a = c.curl(c.url("cacerts", label))
            text = certs_of(c, a)
            assert text.count("BEGIN CERTIFICATE") == 2, text
            assert b"\n" not in a.body
            assert a.headers["Content-Type"] == \
                "application/pkcs7-mime; smime-type=certs-only"
        a = c.curl(c.url("cacerts"), "-A", "libest client 1.0")
        lines = a.body.decode().splitlines()
        assert len(lines) > 3 and max(map(len, lines)) == 64


def test_a_device_enrols_by_token_with_each_kind_of_key(build):
    need("certtool")

    def keys(text):
        return re.sub(r"keys: \[[^\]]*\]",
                      "keys: [p256, p384, ed25519, rsa2048]", text, count=0)
    with ca(build, edit=keys) as c:
        for kind in ("p256", "p384", "ed25519", "rsa2048"):
            name = f"dev-{kind}"
            key, pem = c.device(name, kind)
            c.verify(pem)
            assert "CN=" + name in subject(pem)
            run("certtool", "--certificate-info", "--infile", pem)
            run("certtool", "--verify", "--load-ca-certificate", c.root,
                "--infile", chain_file(c, pem))
            assert pubkey(key) == run("openssl", "x509", "-in", pem, "-noout",
                                      "-pubkey").stdout
            shown = c.json("cert", "show", serial(pem))
            assert shown["state"] == "issued" and shown["device"] == name


def chain_file(c, pem):
    path = c.path("chain.pem")
    with open(path, "w") as f:
        for p in (pem, os.path.join(c.home, "ca", "issuing.pem")):
            f.write(open(p).read())
    return path


def pubkey(key):
    return run("openssl", "pkey", "-in", key, "-pubout").stdout


def test_body_forms_of_real_clients(build):
    """INTEROP: base64 with and without line breaks, PEM of both kinds, DER."""
    with ca(build) as c:
        forms = {
            "one line": lambda der: base64.b64encode(der),
            "lines": lambda der: base64.encodebytes(der),
            "crlf": lambda der: base64.encodebytes(der).replace(
                b"\n", b"\r\n"),
            "der": lambda der: der,
            "pem": lambda der: b"-----BEGIN CERTIFICATE REQUEST-----\n" +
            base64.encodebytes(der) + b"-----END CERTIFICATE REQUEST-----\n",
            "old pem": lambda der:
            b"-----BEGIN NEW CERTIFICATE REQUEST-----\r\n" +
            base64.encodebytes(der) +
            b"-----END NEW CERTIFICATE REQUEST-----\r\n",
        }
        for i, (form, encode) in enumerate(forms.items()):
            name = f"form-{i}"
            c.csr(name, f"/CN={name}")
            with open(c.path(name + ".csr"), "rb") as f:
                body = encode(f.read())
            path = c.path(name + ".body")
            with open(path, "wb") as f:
                f.write(body)
            a = c.enroll(path, "-u", f"{name}:{c.token(name)}")
            assert a.status == 200, (form, a.status, a.text())
            name2 = name + "-chunked"
            _, b64 = c.csr(name2, f"/CN={name2}")
            a = c.enroll(b64, "-H", "Transfer-Encoding: chunked", "-u",
                         f"{name2}:{c.token(name2)}")
            assert a.status == 200, (form, "chunked", a.text())


def test_refusals_are_clear_and_tell_strangers_nothing(build):
    with ca(build) as c:
        _, b64 = c.csr("dev", "/CN=dev")
        good = c.token("dev")
        none = c.enroll(b64)
        assert none.status == 401
        assert none.headers["WWW-Authenticate"].startswith("Basic ")
        wrong = c.enroll(b64, "-u", "dev:" + "0" * 26)
        other = c.enroll(b64, "-u", f"other:{good}")
        unknown = c.enroll(b64, "-u", f"nobody:{'1' * 26}")
        for a in (wrong, other, unknown):
            assert a.status == 401, (a.status, a.text())
        # One text for all, but for the reference number.
        texts = {re.sub(r"[0-9a-f]{6,}", "N", a.text())
                 for a in (none, wrong, other, unknown)}
        assert len(texts) == 1, texts
        # After the credential: the clause.
        _, bad = c.csr("dev2", "/CN=somebody else")
        a = c.enroll(bad, "-u", f"dev:{good}")
        assert a.status == 400 and "somebody else" in a.text(), a.text()
        broken = c.path("broken")
        with open(broken, "w") as f:
            f.write("MIIB")
        a = c.enroll(broken, "-u", f"dev:{good}")
        assert a.status == 400, a.text()
        # A refusal spent nothing.
        assert c.enroll(b64, "-u", f"dev:{good}").status == 200
        for op in ("fullcmc", "serverkeygen", "nothing"):
            assert c.curl(c.url(op)).status in (404, 501)
        assert c.curl(c.url("cacerts", "nolabel")).status == 404
        assert c.curl(c.url("simpleenroll")).status == 405


def test_a_token_serves_one_request_and_its_retries(build):
    with ca(build) as c:
        token = c.token("dev")
        key, b64 = c.csr("dev", "/CN=dev")
        first = c.enroll(b64, "-u", f"dev:{token}")
        again = c.enroll(b64, "-u", f"dev:{token}")
        assert first.status == again.status == 200
        assert first.body == again.body
        # The same key in another request is the same retry; another is not.
        _, same_key = c.csr("dev-again", "/CN=dev", key=key)
        assert c.enroll(same_key, "-u", f"dev:{token}").body == first.body
        _, other = c.csr("dev-other", "/CN=dev")
        refused = c.enroll(other, "-u", f"dev:{token}")
        assert refused.status in (400, 401), refused.text()
        assert len(c.json("cert", "list", "--device", "dev")["certificates"]) == 1


def early(text):
    """Renewal from the first second on."""
    text, n = re.subn(r"renew: \{ *from: [^,}]*", "renew: { from: 0s", text)
    assert n > 0, text
    return text


def renew(c, key, pem, b64, label="line1"):
    return c.enroll(b64, "--cert", pem, "--key", key, op="simplereenroll",
                    label=label)


def test_renewal(build):
    with ca(build, edit=early) as c:
        key, pem = c.device("dev")
        _, same = c.csr("same", "/CN=dev", key=key)
        a = renew(c, key, pem, same)
        assert a.status == 400 and "key" in a.text(), a.text()
        _, other = c.csr("other", "/CN=other")
        assert renew(c, key, pem, other).status == 400
        full = run("openssl", "x509", "-in", pem, "-noout", "-subject",
                   "-nameopt", "compat").stdout
        new_key, b64 = c.csr("new", "/" + full.split("=", 1)[1].strip()
                             .lstrip("/"))
        a = renew(c, key, pem, b64)
        new_pem = c.cert_of(a, "new")
        c.verify(new_pem)
        assert subject(new_pem) == subject(pem)
        assert serial(new_pem) != serial(pem)
        # RFC 7030 4.2.2: enrolling anew is not what this credential is for.
        _, b = c.csr("third", "/CN=dev")
        a = c.enroll(b, "--cert", new_pem, "--key", new_key)
        assert a.status in (400, 401)
        # Suspended: neither certificate renews; resumed: it does.
        c.mica("device", "suspend", "dev")
        _, b = c.csr("fourth", "/" + full.split("=", 1)[1].strip()
                         .lstrip("/"))
        a = renew(c, new_key, new_pem, b)
        assert a.status in (400, 401), a.text()
        c.mica("device", "resume", "dev")
        assert renew(c, new_key, new_pem, b).status == 200


def test_renewal_waits_for_its_window(build):
    with ca(build) as c:
        key, pem = c.device("dev")
        _, b64 = c.csr("new", "/")
        a = renew(c, key, pem, b64)
        assert a.status == 400 and "renew" in a.text(), a.text()


def test_a_foreign_client_certificate_is_nobody(build):
    with ca(build, edit=early) as c:
        k = c.key("foreign")
        pem = c.path("foreign.pem")
        run("openssl", "req", "-x509", "-key", k, "-subj", "/CN=dev", "-days",
            "10", "-out", pem)
        c.device("dev")
        _, b64 = c.csr("x", "/CN=dev")
        for op in ("simpleenroll", "simplereenroll"):
            a = c.enroll(b64, "--cert", pem, "--key", k, op=op)
            assert a.status == 401, (op, a.status, a.text())


def anchored(c):
    """Two foreign CAs that vouch for devices; a label that asks the first."""
    anchors = {}
    for name in ("maker", "other"):
        key = c.key(name)
        pem = os.path.join(c.home, "ca", name + ".pem")
        run("openssl", "req", "-x509", "-key", key, "-subj",
            f"/O=Example {name}/CN=Root", "-days", "3650", "-out", pem,
            "-addext", "keyUsage=critical,keyCertSign")
        anchors[name] = (key, pem)
    with open(c.conf) as f:
        text = f.read()
    text += ("\ntrust:\n"
             "  maker: { certificates: ca/maker.pem }\n"
             "  other: { certificates: ca/other.pem }\n")
    text = text.replace(
        "enroll:\n  est:\n",
        "enroll:\n  est:\n"
        "    - { label: idevid, authority: factory, profile: sensor, "
        "allow: [idevid], anchors: [maker, other] }\n"
        "    - { label: maker, authority: factory, profile: sensor, "
        "allow: [idevid], anchors: [maker] }\n")
    assert "label: idevid" in text, text
    with open(c.conf, "w") as f:
        f.write(text)
    return anchors


def idevid(c, anchor, name, subj):
    key, csr = c.key(name), c.path(name + ".req")
    pem, ext = c.path(name + ".pem"), c.path(name + ".ext")
    with open(ext, "w") as f:
        f.write("keyUsage=critical,digitalSignature\n")
    run("openssl", "req", "-new", "-key", key, "-subj", subj, "-out", csr)
    run("openssl", "x509", "-req", "-in", csr, "-CA", anchor[1], "-CAkey",
        anchor[0], "-days", "3000", "-extfile", ext, "-out", pem)
    return key, pem


def test_idevid_enrols_and_one_maker_cannot_speak_for_another(build):
    with Ca(build) as c:
        anchors = anchored(c)
        c.start()
        subj = "/O=Example/serialNumber=SN-1/CN=unit"
        key, pem = idevid(c, anchors["maker"], "idev", subj)
        _, b64 = c.csr("ldev", "/CN=SN-1")
        a = c.enroll(b64, "--cert", pem, "--key", key, label="idevid")
        c.verify(c.cert_of(a, "ldev"))
        assert "CN=SN-1" in subject(c.path("ldev.pem"))
        shown = c.json("device", "show", "SN-1")
        assert shown["anchor"] == "maker", shown
        key2, pem2 = idevid(c, anchors["other"], "idev2", subj)
        _, b64 = c.csr("ldev2", "/CN=SN-1")
        a = c.enroll(b64, "--cert", pem2, "--key", key2, label="idevid")
        assert a.status == 400, (a.status, a.text())
        # An anchor that this label does not name vouches for nobody.
        key3, pem3 = idevid(c, anchors["other"], "idev3",
                            "/serialNumber=SN-2/CN=unit")
        _, b64 = c.csr("ldev3", "/CN=SN-2")
        a = c.enroll(b64, "--cert", pem3, "--key", key3, label="maker")
        assert a.status == 401, (a.status, a.text())
        # Nor may a maker take over what the operator entered.
        c.token("SN-2")
        a = c.enroll(b64, "--cert", pem3, "--key", key3, label="idevid")
        assert a.status == 400 and "by token" in a.text(), a.text()


def test_strongswan_pki_fetches_the_chain_and_enrols(build):
    need("pki")
    with ca(build, edit=early) as c:
        out = c.path("estca.pem")
        url = f"https://127.0.0.1:{c.est}"
        run("pki", "--estca", "--url", url, "--cacert", c.root, "--caout", out,
            "--outform", "pem")
        got = [f for f in os.listdir(c.dir) if f.startswith("estca")]
        assert len(got) == 2, got
        key = c.key("swan")
        csr = c.path("swan.req")
        with open(csr, "wb") as f:
            f.write(subprocess.run(
                ["pki", "--req", "--in", key, "--type", "priv", "--dn",
                 "CN=swan"], capture_output=True, check=True).stdout)
        issuing = os.path.join(c.home, "ca", "issuing.pem")
        p = subprocess.run(
            ["pki", "--est", "--url", url, "--in", csr, "--cacert", c.root,
             "--cacert", issuing, "--userpass", f"swan:{c.token('swan')}",
             "--outform", "pem"], capture_output=True, check=False,
            timeout=60)
        assert p.returncode == 0, p.stderr.decode()
        pem = c.path("swan.pem")
        with open(pem, "wb") as f:
            f.write(p.stdout)
        c.verify(pem)
        # Renewal: pki --est with the old certificate and key.
        key2, csr2 = c.key("swan2"), c.path("swan2.req")
        dn = run("openssl", "x509", "-in", pem, "-noout", "-subject",
                 "-nameopt", "compat").stdout.split("=", 1)[1].strip()
        dn = ", ".join(x for x in dn.lstrip("/").split("/"))
        with open(csr2, "wb") as f:
            f.write(subprocess.run(
                ["pki", "--req", "--in", key2, "--type", "priv", "--dn", dn],
                capture_output=True, check=True).stdout)
        p = subprocess.run(
            ["pki", "--est", "--url", url, "--in", csr2, "--cacert", c.root,
             "--cacert", issuing, "--cert", pem, "--key", key, "--outform",
             "pem"], capture_output=True, check=False, timeout=60)
        assert p.returncode == 0, p.stderr.decode()
        pem2 = c.path("swan2.pem")
        with open(pem2, "wb") as f:
            f.write(p.stdout)
        c.verify(pem2)


def test_csrattrs_is_never_empty(build):
    with ca(build) as c:
        a = c.curl(c.url("csrattrs"))
        assert a.status == 200, a.status
        assert a.headers["Content-Type"] == "application/csrattrs"
        der = base64.b64decode(a.body, validate=True)
        assert der[0] == 0x30
        run("openssl", "asn1parse", "-inform", "DER", "-in",
            write(c, "attrs", der))


def write(c, name, data):
    path = c.path(name)
    with open(path, "wb") as f:
        f.write(data)
    return path
