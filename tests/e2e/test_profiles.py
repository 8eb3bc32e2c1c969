"""Every profile that is shipped, in mica init's configuration and in
conf/mica.yaml: one certificate each, judged by openssl and certtool, and read
against RFC 5280, RFC 9608, IEEE 802.1AR and Matter's rules for a DAC."""

import os
import re

from harness import ca, need, run

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BY_TOKEN = ("sensor", "idevid", "ldevid", "matter-dac")
KEY = {"code-signing": "p384"}  # p256 unless said here
SERVER, CLIENT, CODE = (f"1.3.6.1.5.5.7.3.{i}" for i in (1, 2, 3))
# What openssl and certtool are asked of each: purposes it serves, and not.
OPENSSL = {"sensor": (("sslclient",), ("sslserver", "timestampsign")),
           "ldevid": (("sslclient",), ("sslserver",)),
           "idevid": (("sslclient", "any"), ("crlsign",)),
           "matter-dac": (("any",), ("crlsign",)),
           "tls-server": (("sslserver",), ("sslclient",)),
           "code-signing": (("any",), ("sslclient", "sslserver"))}
CERTTOOL = {"sensor": (CLIENT, SERVER), "ldevid": (CLIENT, SERVER),
            "tls-server": (SERVER, CLIENT), "code-signing": (CODE, SERVER)}
LINE = re.compile(r" *(\d+):d=(\d+) +hl=(\d+) +l= *(\d+) +(?:cons|prim): "
                  r"(.*?) *(?::(.*))?$")


# --- a certificate, as openssl asn1parse reads it
def tree(path, *more):
    """(depth, type, value) of each element."""
    out = run("openssl", "asn1parse", "-in", path, *more).stdout
    found = [LINE.match(line) for line in out.splitlines()]
    assert all(found), out
    return [(int(m[2]), m[5], m[6] or "") for m in found]


def names(parsed, which):
    """Attributes of the issuer (0) or the subject (1)."""
    top = [i for i, e in enumerate(parsed) if e[0] == 2]
    # serial, algorithm, issuer, validity, subject after [0]
    at = top[3 + 2 * which]
    out = []
    for i in range(at + 1, len(parsed)):
        if parsed[i][0] <= 2:
            break
        if parsed[i][1] == "OBJECT":
            out.append((parsed[i][2], parsed[i + 1][1], parsed[i + 1][2]))
    return out


def extensions(parsed):
    """{name: (critical, hex of the value)}"""
    at = [i for i, e in enumerate(parsed) if e[:2] == (2, "cont [ 3 ]")]
    out = {}
    i = at[0] + 2 if at else len(parsed)
    while i < len(parsed) and parsed[i][0] >= 4:
        assert parsed[i][1] == "SEQUENCE"
        name = parsed[i + 1][2]
        critical = parsed[i + 2][1] == "BOOLEAN"
        value = parsed[i + 2 + critical]
        assert value[1].startswith("OCTET STRING"), parsed[i:i + 4]
        # RFC 5280 section 4.2
        assert name not in out, f"{name} twice"
        out[name] = (critical, value[2].replace("[HEX DUMP]:", ""))
        i += 3 + critical
    return out


def inner(c, value):
    """An extension's value, parsed."""
    path = c.path("extension")
    with open(path, "wb") as f:
        f.write(bytes.fromhex(value))
    return [e[1:] for e in tree(path, "-inform", "DER")]


SAN, KU, EKU = ("X509v3 Subject Alternative Name", "X509v3 Key Usage",
                "X509v3 Extended Key Usage")
BC, SKI, AKI = ("X509v3 Basic Constraints", "X509v3 Subject Key Identifier",
                "X509v3 Authority Key Identifier")


# --- RFC 5280
def lint(c, pem):
    """What holds for each certificate, whatever its profile."""
    p = tree(pem)
    ext = extensions(p)
    top = [e for e in p if e[0] == 2]
    assert p[3][1:] == ("INTEGER", "02"), p[3]  # 4.1.2.1: version 3
    number = bytes.fromhex(top[1][2])
    # 4.1.2.2: positive, at most 20 octets
    assert 0 < len(number) <= 20 and number[0] < 0x80 and any(number)
    for _, kind, value in [e for e in p if e[1] in
                           ("UTCTIME", "GENERALIZEDTIME")]:
        # 4.1.2.5: UTCTime through 2049, with seconds, in Zulu
        assert re.fullmatch(r"\d{12}Z" if kind == "UTCTIME"
                            else r"\d{14}Z", value), (kind, value)
        assert kind == "UTCTIME" or int(value[:4]) >= 2050, value
    for attribute, kind, value in names(p, 0) + names(p, 1):
        # Appendix A.1: X520SerialNumber is a PrintableString
        want = "PRINTABLESTRING" if attribute == "serialNumber" \
            else "UTF8STRING"
        assert kind == want and value, (attribute, kind)
    # 4.1.1.2: both name the same algorithm
    inside = p[[i for i, e in enumerate(p) if e[0] == 2][2] + 1]
    after = [e for e in p if e[:2] == (2, "OBJECT")][-1]
    assert inside[1:] == after[1:], (inside, after)
    issuer = extensions(tree(os.path.join(c.home, "ca", "issuing.pem")))
    # 4.2.1.1: the issuer's identifier, never critical; 4.2.1.2
    assert ext[AKI] == (False, "3016" + "8014" + issuer[SKI][1][4:]), ext
    assert ext[SKI][0] is False and ext[SKI][1].startswith("0414")
    # 4.2.1.3: a device signs and agrees on keys, and nothing else
    assert ext[KU] == (True, "03020780"), ext[KU]
    # 4.2.1.9
    assert ext.get(BC, (True, "3000")) == (True, "3000")
    if SAN in ext:
        assert ext[SAN][0] is False  # 4.2.1.6: there is a subject
    text = run("openssl", "x509", "-in", pem, "-noout", "-text").stdout
    for word in ("BAD", "Unable", "INVALID", "<Not Supported>", "Netscape"):
        assert word not in text, text
    return p, ext


def judge(c, name, pem):
    """openssl's and certtool's verdicts."""
    good, bad = OPENSSL[name]
    chain = c.path("chain.pem")
    with open(chain, "w") as f:
        for path in (pem, os.path.join(c.home, "ca", "issuing.pem")):
            f.write(open(path).read())
    argv = ["openssl", "verify", "-x509_strict", "-CAfile", c.root,
            "-untrusted", os.path.join(c.home, "ca", "issuing.pem")]
    for purpose in good:
        run(*argv, "-purpose", purpose, pem)
    for purpose in bad:
        p = run(*argv, "-purpose", purpose, pem, check=False)
        assert p.returncode != 0, (name, purpose)
    verify = ["certtool", "--verify", "--verify-profile", "medium",
              "--load-ca-certificate", c.root, "--infile", chain]
    run(*verify)
    if name in CERTTOOL:
        yes, no = CERTTOOL[name]
        run(*verify, "--verify-purpose", yes)
        p = run(*verify, "--verify-purpose", no, check=False)
        assert p.returncode != 0, (name, no)
    run("certtool", "--certificate-info", "--infile", pem)


def get(c, name, device, *more):
    """One certificate of that profile: by token over EST, or on the
    operator's word."""
    _, b64 = c.csr(device, "/", KEY.get(name, "p256"))
    if name in BY_TOKEN:
        a = c.enroll(b64, "-u", f"{device}:" + c.token(
            device, "--profile", name), label="get-" + name)
        return c.cert_of(a, device)
    pem = c.path(device + ".pem")
    c.mica("cert", "issue", "--csr", b64, "--profile", name, "--device",
           device, *more, "--out", pem)
    return pem


# --- what each profile promises
def never(p):
    # RFC 5280 section 4.1.2.5
    assert [e[2] for e in p if e[1] == "GENERALIZEDTIME"] == \
        ["99991231235959Z"]


def check_idevid(c, p, ext, device):
    """IEEE 802.1AR: a serialNumber, no end, no extended key usage."""
    never(p)
    assert ("serialNumber", "PRINTABLESTRING", device) in names(p, 1)
    assert EKU not in ext


def check_ldevid(c, p, ext, device):
    assert ("serialNumber", "PRINTABLESTRING", device) in names(p, 1)
    assert ("OBJECT", "TLS Web Client Authentication") in \
        inner(c, ext[EKU][1])


def check_matter(c, p, ext, device):
    """Matter Core 6.2.2.3: vendor and product id as four capital hexadecimal
    digits in UTF8String; basicConstraints, keyUsage, both identifiers."""
    never(p)
    of = {a: (kind, value) for a, kind, value in names(p, 1)}
    for oid in ("1.3.6.1.4.1.37244.2.1", "1.3.6.1.4.1.37244.2.2"):
        assert of[oid][0] == "UTF8STRING"
        assert re.fullmatch(r"[0-9A-F]{4}", of[oid][1]), of
    assert set(ext) == {BC, KU, SKI, AKI}, ext
    assert ("OBJECT", "prime256v1") in [e[1:] for e in p]
    assert ("OBJECT", "ecdsa-with-SHA256") in [e[1:] for e in p]


def check_server(c, p, ext, device):
    pem = c.path(device + ".pem")
    for host in ("srv.example.com", "192.0.2.1", "2001:db8::1"):
        kind = "-verify_ip" if host[0] in "12" else "-verify_hostname"
        run("openssl", "verify", "-x509_strict", kind, host, "-CAfile",
            c.root, "-untrusted", os.path.join(c.home, "ca", "issuing.pem"),
            pem)
    assert run("openssl", "verify", "-verify_hostname", "other.example.com",
               "-CAfile", c.root, "-untrusted",
               os.path.join(c.home, "ca", "issuing.pem"), pem,
               check=False).returncode != 0


def check_code(c, p, ext, device):
    assert ext[EKU][0] is True
    assert inner(c, ext[EKU][1]) == [("SEQUENCE", ""),
                                     ("OBJECT", "Code Signing")]


def check_sensor(c, p, ext, device):
    assert ("cont [ 6 ]", "") in inner(c, ext[SAN][1])
    text = run("openssl", "x509", "-in", c.path(device + ".pem"), "-noout",
               "-ext", "subjectAltName").stdout
    assert f"URI:urn:dev:{device}" in text, text


CHECKS = {"sensor": check_sensor, "idevid": check_idevid,
          "ldevid": check_ldevid, "matter-dac": check_matter,
          "tls-server": check_server, "code-signing": check_code}


def with_labels(text):
    labels = "".join(
        f"    - {{ label: get-{name}, authority: factory, profile: {name} }}\n"
        for name in BY_TOKEN)
    out = text.replace("enroll:\n  est:\n", "enroll:\n  est:\n" + labels)
    assert out != text
    return out


def check_all(c):
    # What its names may hold is the widest thing that a device id may be.
    for name, check in CHECKS.items():
        device = "unit-7:" + name
        more = () if name != "tls-server" else (
            "--dns", "srv.example.com", "--ip", "192.0.2.1", "--ip",
            "2001:db8::1")
        pem = get(c, name, device, *more)
        p, ext = lint(c, pem)
        judge(c, name, pem)
        check(c, p, ext, device)


def test_profiles_of_init(build):
    need("certtool")
    with ca(build, edit=with_labels) as c:
        check_all(c)


def sample(text):
    """The profiles of conf/mica.yaml instead of init's."""
    with open(os.path.join(TOP, "conf", "mica.yaml")) as f:
        shipped = f.read()
    cut = re.compile(r"^profiles:\n.*?(?=^\S)", re.M | re.S)
    of_sample = cut.search(re.sub(r"^# Foreign", "trust_: x\n", shipped,
                                  flags=re.M))[0]
    out = cut.sub(lambda m: of_sample, text, count=1)
    assert "Example Meters" in out and out.count("profiles:") == 1
    return with_labels(out)


def test_profiles_of_the_sample(build):
    need("certtool")
    with ca(build, edit=sample) as c:
        check_all(c)
        # RFC 4108: type and serial number, in an otherName
        p = tree(c.path("unit-7:idevid.pem"))
        assert inner(c, extensions(p)[SAN][1]) == [
            ("SEQUENCE", ""), ("cont [ 0 ]", ""),
            ("OBJECT", "1.3.6.1.5.5.7.8.4"), ("cont [ 0 ]", ""),
            ("SEQUENCE", ""), ("OBJECT", "1.3.6.1.4.1.99999.1"),
            ("OCTET STRING", "unit-7:idevid")]


def everything(text):
    """The sample's profiles with what they have commented out."""
    text = sample(text)
    for option in ("hardware_module", "permanent_id", "policies",
                   "san_critical", "no_rev_avail"):
        text, n = re.subn(rf"^( +)#({option}:)", r"\1\2", text, count=1,
                          flags=re.M)
        assert n == 1, option
    text = text.replace("san_critical: no", "san_critical: yes", 1)
    text = text.replace("no_rev_avail: no", "no_rev_avail: yes", 1)
    out = text.replace(
        "key: issuing }", "key: issuing,\n"
        "    aia: [http://pki.example.com/ca.crt],\n"
        "    ocsp_urls: [http://pki.example.com/ocsp],\n"
        "    crl_urls: [http://pki.example.com/ca.crl] }")
    assert out != text
    return out


def no_rev_avail(ext):
    """Newer versions of openssl have a name for it."""
    return ext.get("2.5.29.56", ext.get("X509v3 No Revocation Available"))


def test_what_the_sample_has_commented_out(build):
    with ca(build, edit=everything) as c:
        pem = get(c, "sensor", "sn-1")
        ext = extensions(tree(pem))
        san = inner(c, ext[SAN][1])
        assert ext[SAN][0] is True
        # RFC 4043: the value alone, its assigner left out
        at = san.index(("OBJECT", "Permanent Identifier"))
        assert san[at + 1:at + 4] == [
            ("cont [ 0 ]", ""), ("SEQUENCE", ""), ("UTF8STRING", "sn-1")]
        at = san.index(("OBJECT", "1.3.6.1.5.5.7.8.4"))
        assert san[at + 3:at + 5] == [
            ("OBJECT", "1.3.6.1.4.1.99999.1"), ("OCTET STRING", "sn-1")]
        assert ("OBJECT", "1.3.6.1.4.1.99999.2") in \
            inner(c, ext["X509v3 Certificate Policies"][1])
        # RFC 9608: NULL, not critical, and no way to ask about revocation
        assert no_rev_avail(ext) == (False, "0500"), ext
        assert "X509v3 CRL Distribution Points" not in ext
        access = inner(c, ext["Authority Information Access"][1])
        assert ("OBJECT", "CA Issuers") in access
        assert ("OBJECT", "OCSP") not in access
        c.verify(pem)
        # Another profile of that authority has them all.
        pem = get(c, "ldevid", "sn-1")
        ext = extensions(tree(pem))
        assert no_rev_avail(ext) is None
        access = inner(c, ext["Authority Information Access"][1])
        assert [v for t, v in access if t == "OBJECT"].count("OCSP") == 1
        text = run("openssl", "x509", "-in", pem, "-noout", "-text").stdout
        assert "URI:http://pki.example.com/ca.crl" in text
        assert "URI:http://pki.example.com/ocsp" in text
        c.verify(pem)
