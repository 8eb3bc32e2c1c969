"""What is said about a revocation beside that it was: each reason of RFC 5280
section 5.3.1 and the invalidityDate, through OCSP and on the CRL."""

import re
import urllib.request

from harness import ca, run, serial, wait_for
from test_crl import FAST, fetch, text_of
from test_ocsp import openssl, request, url, with_ocsp

# By the command: the CRLReason, and as openssl crl says it. removeFromCRL is for
# delta CRLs alone; certificateHold is mica hold.
REASONS = {
    "unspecified": (None, None),
    "keyCompromise": (1, "Key Compromise"),
    "cACompromise": (2, "CA Compromise"),
    "affiliationChanged": (3, "Affiliation Changed"),
    "superseded": (4, "Superseded"),
    "cessationOfOperation": (5, "Cessation Of Operation"),
    "certificateHold": (6, "Certificate Hold"),
    "privilegeWithdrawn": (9, "Privilege Withdrawn"),
    "aACompromise": (10, "AA Compromise"),
}


def entries(c):
    """By serial number, the text of each entry of the CRL."""
    parts = text_of(fetch(c)).split("Serial Number: ")[1:]
    return {p.split()[0].lower(): p.split("Signature Algorithm")[0]
            for p in parts}


def test_each_reason_through_ocsp_and_crl(build):
    def edit(text):
        return with_ocsp(text).replace(
            "factory: { ", "factory: { crl: { %s }, " % FAST, 1)
    with ca(build, edit=edit) as c:
        pems = {}
        for reason in REASONS:
            _, pems[reason] = c.device("dev-" + reason)
            if reason == "certificateHold":
                c.mica("hold", "--file", pems[reason])
            else:
                c.mica("revoke", "--file", pems[reason], "--reason", reason)
        for reason, pem in pems.items():
            for more in ((), ("-no_nonce",)):
                out = openssl(c, "-resp_text", *more, pem=pem)
                assert "Response verify OK" in out, out
                assert f"{pem}: revoked" in out, out
                said = re.search(r"Reason: \S+ \(0x(\w+)\)", out)
                # Section 5.3.1: left out when it says nothing.
                assert (int(said.group(1), 16) if said else None) == \
                    REASONS[reason][0], out
        listed = wait_for("all on the CRL", lambda: len(entries(c)) == len(
            REASONS) and entries(c), 10)
        for reason, (_, text) in REASONS.items():
            entry = listed[serial(pems[reason])]
            said = re.search(r"X509v3 CRL Reason Code: *\n *(.+?) *\n", entry)
            assert (said.group(1) if said else None) == text, entry
        p = c.mica("revoke", "--file", pems["superseded"], "--reason",
                   "removeFromCRL", check=False)
        assert p.returncode == 1 and p.stderr, p.stdout


def test_invalidity_date_through_ocsp_and_crl(build):
    def edit(text):
        return with_ocsp(text).replace(
            "factory: { ", "factory: { crl: { %s }, " % FAST, 1)
    with ca(build, edit=edit) as c:
        _, pem = c.device("dev")
        c.mica("revoke", "--file", pem, "--reason", "keyCompromise",
               "--invalid-since", "2026-01-02")
        want = r"Invalidity Date: *\n *Jan  ?2 00:00:00 2026 GMT"
        listed = wait_for("on the CRL", lambda: entries(c), 10)
        assert re.search(want, listed[serial(pem)]), listed
        out = openssl(c, "-resp_text", "-no_nonce", pem=pem)
        assert "Response verify OK" in out and re.search(want, out), out


def tlv(tag, body):
    assert len(body) < 256
    long = b"\x81" if len(body) > 127 else b""
    return bytes([tag]) + long + bytes([len(body)]) + body


# id-pkix-ocsp-nonce
NONCE = b"\x2b\x06\x01\x05\x05\x07\x30\x01\x02"


def test_nonce_without_its_octet_string_is_echoed(build):
    """Older clients send the octets alone (RFC 9654 section 1)."""
    nonce = b"0123456789abcdef"
    with ca(build, edit=with_ocsp) as c:
        _, pem = c.device("dev")
        der = request(c, pem)
        assert der[0] == 0x30 and der[1] < 0x60 and der[2] == 0x30, der
        ext = tlv(0x30, tlv(0x06, NONCE) + tlv(0x04, nonce))
        tbs = der[4:] + tlv(0xa2, tlv(0x30, ext))
        body = tlv(0x30, tlv(0x30, tbs))
        asked = urllib.request.Request(
            url(c), body, {"Content-Type": "application/ocsp-request"})
        with urllib.request.urlopen(asked, timeout=10) as r:
            answer = r.read()
        assert b"\x04\x10" + nonce in answer, answer.hex()
        path = c.path("answer")
        with open(path, "wb") as f:
            f.write(answer)
        out = run("openssl", "ocsp", "-respin", path, "-resp_text",
                  "-noverify").stdout
        assert "OCSP Response Status: successful" in out, out
        assert "Cert Status: good" in out, out
