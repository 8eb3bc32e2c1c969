"""Proof of possession bound to the channel (RFC 7030 section 3.5, RFC 9266): a
challengePassword that holds this connection's value is accepted, another
connection's is not."""

import base64
import os
import re
import socket
import ssl
import subprocess

from harness import ca


def request(c, name, challenge):
    """The whole HTTP request that enrols name with that challenge."""
    token = c.token(name)
    _, b64 = c.csr(name, f"/CN={name}", challenge=challenge)
    body = open(b64, "rb").read()
    basic = base64.b64encode(f"{name}:{token}".encode()).decode()
    return (f"POST /.well-known/est/line1/simpleenroll HTTP/1.1\r\n"
            f"Host: localhost\r\nAuthorization: Basic {basic}\r\n"
            f"Content-Type: application/pkcs10\r\nConnection: close\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


def status(answer):
    return int(answer.split(b" ", 2)[1])


def over_tls12(c, name, change=lambda v: v):
    context = ssl.create_default_context(cafile=c.root)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    raw = socket.create_connection(("127.0.0.1", c.est), 10)
    with context.wrap_socket(raw, server_hostname="127.0.0.1") as s:
        value = s.get_channel_binding("tls-unique")
        text = base64.b64encode(change(value)).decode()
        s.sendall(request(c, name, text))
        out = b""
        while True:
            part = s.recv(65536)
            if not part:
                return out
            out += part


def over_tls13(c, name, change=lambda v: v):
    p = subprocess.Popen(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{c.est}", "-tls1_3",
         "-CAfile", c.root, "-keymatexport", "EXPORTER-Channel-Binding",
         "-keymatexportlen", "32", "-ign_eof"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL)
    value = None
    for line in p.stdout:
        m = re.match(rb"\s*Keying material: ([0-9A-F]+)", line)
        if m:
            value = bytes.fromhex(m.group(1).decode())
        if value is not None and line.startswith(b"---"):
            break
    assert value is not None and len(value) == 32
    text = base64.b64encode(change(value)).decode()
    out, _ = p.communicate(request(c, name, text), timeout=30)
    return out[out.index(b"HTTP/1.1"):]


def test_this_channel_is_accepted_and_another_is_not(build):
    def flip(v):
        return bytes([v[0] ^ 1]) + v[1:]
    with ca(build) as c:
        assert status(over_tls12(c, "unique")) == 200
        assert status(over_tls13(c, "exporter")) == 200
        for i, talk in enumerate((over_tls12, over_tls13)):
            out = talk(c, f"flipped-{i}", flip)
            assert status(out) == 400, out
            out = talk(c, f"random-{i}", lambda v: os.urandom(len(v)))
            assert status(out) == 400, out
            out = talk(c, f"text-{i}", lambda v: b"secret")
            assert status(out) == 400, out


def test_a_profile_can_demand_it_and_csrattrs_says_so(build):
    def demand(text):
        out = text.replace("  sensor:\n", "  sensor:\n"
                           "    channel_binding: yes\n", 1)
        assert out != text
        return out
    with ca(build, edit=demand) as c:
        _, b64 = c.csr("plain", "/CN=plain")
        a = c.enroll(b64, "-u", f"plain:{c.token('plain')}")
        assert a.status == 400, a.text()
        assert status(over_tls12(c, "bound")) == 200
        der = base64.b64decode(c.curl(c.url("csrattrs")).body)
        # challengePassword, 1.2.840.113549.1.9.7
        assert bytes.fromhex("06092a864886f70d010907") in der
        assert c.json("cert", "list", "--device", "bound")["certificates"]
