"""HTTP as hostile peers speak it (RFC 9112; the forms that smuggle): each gets
its refusal and a closed connection, directly and behind a proxy."""

import os
import re
import socket
import ssl
import subprocess
import tempfile
import time

from harness import Ca, ca, free_port, need, wait_for

GOOD = b"GET /.well-known/est/line1/cacerts HTTP/1.1\r\nHost: x\r\n\r\n"
P = b"POST /.well-known/est/line1/simpleenroll HTTP/1.1\r\nHost: x\r\n"
G = b"GET /.well-known/est/line1/cacerts HTTP/1.1\r\n"

# name, request, the statuses that are right
MALFORMED = [
    ("two Content-Length", P + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", {400}),
    ("two that differ", P + b"Content-Length: 3\r\nContent-Length: 30\r\n\r\nabc", {400}),
    ("a list of lengths", P + b"Content-Length: 3, 3\r\n\r\nabc", {400}),
    ("Content-Length with a sign", P + b"Content-Length: +3\r\n\r\nabc", {400}),
    ("negative Content-Length", P + b"Content-Length: -1\r\n\r\n", {400}),
    ("hexadecimal Content-Length", P + b"Content-Length: 0x3\r\n\r\nabc", {400}),
    ("Content-Length that overflows", P + b"Content-Length: 18446744073709551617\r\n\r\na", {400, 413}),
    ("Content-Length over the cap", P + b"Content-Length: 999999999\r\n\r\n", {413}),
    ("space before the colon", P + b"Content-Length : 3\r\n\r\nabc", {400}),
    ("tab before the colon", P + b"Content-Length\t: 3\r\n\r\nabc", {400}),
    ("length and chunked", P + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}),
    ("two Transfer-Encoding", P + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400, 501}),
    ("chunked not last", P + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", {400, 501}),
    ("an unknown coding", P + b"Transfer-Encoding: gzip\r\n\r\nabc", {400, 501}),
    ("a misspelt coding", P + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", {400, 501}),
    ("chunk size 0x5", P + b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nabcde\r\n0\r\n\r\n", {400}),
    ("chunk size +5", P + b"Transfer-Encoding: chunked\r\n\r\n+5\r\nabcde\r\n0\r\n\r\n", {400}),
    ("chunk size -5", P + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nabcde\r\n0\r\n\r\n", {400}),
    ("space in a chunk size", P + b"Transfer-Encoding: chunked\r\n\r\n 5\r\nabcde\r\n0\r\n\r\n", {400}),
    ("chunk without its CRLF", P + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcdeXX0\r\n\r\n", {400}),
    ("chunk size that overflows", P + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nabc", {400, 413}),
    ("bare LF in chunk framing", P + b"Transfer-Encoding: chunked\r\n\r\n5\nabcde\n0\n\n", {400}),
    ("a trailer", P + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n", {400}),
    ("no Host", G + b"\r\n", {400}),
    ("two Hosts", G + b"Host: a\r\nHost: b\r\n\r\n", {400}),
    ("a Host that is no host", G + b"Host: a b\r\n\r\n", {400}),
    ("folded header", G + b"Host: x\r\nA: b\r\n c\r\n\r\n", {400}),
    ("bare LF after a header", G + b"Host: x\nA: b\r\n\r\n", {400}),
    ("bare CR in a value", G + b"Host: x\r\nA: b\rc\r\n\r\n", {400}),
    ("NUL in a value", G + b"Host: x\r\nA: b\x00c\r\n\r\n", {400}),
    ("header without a colon", G + b"Host: x\r\nAbc\r\n\r\n", {400}),
    ("header without a name", G + b"Host: x\r\n: b\r\n\r\n", {400}),
    ("a space first in the header section", G + b" Host: x\r\n\r\n", {400}),
    ("two spaces in the request line", b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", {400}),
    ("tab in the request line", b"GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n", {400}),
    ("no version", b"GET /\r\nHost: x\r\n\r\n", {400}),
    ("version 2.0", b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", {400, 505}),
    ("lower-case version", b"GET / http/1.1\r\nHost: x\r\n\r\n", {400}),
    ("a method with a colon", b"G:T / HTTP/1.1\r\nHost: x\r\n\r\n", {400}),
    ("a target with a control byte", b"GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n", {400}),
    ("a fragment", b"GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", {400}),
    ("an unknown method", b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", {400, 404, 405, 501}),
    ("a request line without end", b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", {414}),
    ("headers without end", G + b"Host: x\r\n" + b"".join(b"A%d: b\r\n" % i for i in range(5000)) + b"\r\n", {431}),
    ("one header without end", G + b"Host: x\r\nA: " + b"b" * 100000 + b"\r\n\r\n", {431}),
    ("a TLS hello in the clear", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64 + b"\r\n\r\n", {400}),
]


def tls(port):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    raw = socket.create_connection(("127.0.0.1", port), 10)
    return context.wrap_socket(raw)


def talk(sock, data, seconds=15):
    """Send, and read to the end: what was answered, whether it was closed."""
    sock.settimeout(seconds)
    out, closed = b"", False
    try:
        sock.sendall(data)
    except OSError:
        pass
    try:
        while True:
            part = sock.recv(65536)
            if not part:
                closed = True
                break
            out += part
    except TimeoutError:
        pass
    except OSError:
        closed = True
    sock.close()
    return out, closed


def statuses(answer):
    return [int(x) for x in re.findall(rb"HTTP/1\.[01] (\d{3}) ", answer)]


def test_malformed_requests_are_refused_and_closed(build):
    with ca(build) as c:
        for name, data, right in MALFORMED:
            # A smuggled request behind it must not be answered.
            out, closed = talk(tls(c.est), data + GOOD)
            got = statuses(out)
            assert len(got) == 1 and got[0] in right, (name, got, out[:300])
            assert closed, name
        assert len(MALFORMED) >= 27
        assert statuses(talk(tls(c.est), GOOD.replace(
            b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))[0]) == [200]


def test_a_slow_peer_is_ended_by_the_deadline(build):
    def short(text):
        return text + "\nlimits: { header: 1s, body: 1s }\n"
    with ca(build, edit=short) as c:
        for head in (G, P + b"Content-Length: 100\r\n\r\n"):
            s = tls(c.est)
            s.sendall(head)
            began = time.monotonic()
            out, closed = talk_slowly(s)
            assert closed and time.monotonic() - began < 8, head
            assert statuses(out) in ([408], []), out


def talk_slowly(sock):
    """A byte now and then: an absolute deadline does not care."""
    sock.settimeout(0.2)
    out = b""
    for _ in range(60):
        try:
            sock.sendall(b"a")
            part = sock.recv(65536)
            if not part:
                return out, True
            out += part
        except TimeoutError:
            continue
        except OSError:
            return out, True
    return out, False


def test_pipelined_requests_are_answered_in_order(build):
    with ca(build) as c:
        other = b"GET /none HTTP/1.1\r\nHost: x\r\n\r\n"
        last = GOOD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        out, closed = talk(tls(c.est), GOOD + other + b"\r\n" + last)
        assert statuses(out) == [200, 404, 200], out[:400]
        assert closed


def test_http_1_0_is_answered_and_closed(build):
    with ca(build) as c:
        out, closed = talk(
            tls(c.est), b"GET /.well-known/est/line1/cacerts HTTP/1.0\r\n\r\n")
        assert statuses(out) == [200] and closed
        assert b"\nTransfer-Encoding" not in out and b"Content-Length: " in out


REPAIRED = {"folded header", "bare LF after a header"}

HAPROXY = """
global
    maxconn 100
defaults
    mode http
    timeout connect 5s
    timeout client 700ms
    timeout server 2s
    option http-keep-alive
frontend in
    bind 127.0.0.1:{front}
    default_backend out
backend out
    http-reuse always
    server mica 127.0.0.1:{back} ssl verify none
"""


def test_behind_haproxy_nothing_is_smuggled(build):
    """What haproxy forwards of the malformed requests is refused by us or is
    one request to both: never two answers to what haproxy took as one."""
    need("haproxy")
    with ca(build) as c, tempfile.TemporaryDirectory() as folder:
        front = free_port()
        conf = os.path.join(folder, "haproxy.cfg")
        with open(conf, "w") as f:
            f.write(HAPROXY.format(front=front, back=c.est))
        proxy = subprocess.Popen(["haproxy", "-db", "-f", conf],
                                 stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        try:
            def up():
                try:
                    socket.create_connection(("127.0.0.1", front), 1).close()
                    return True
                except OSError:
                    return False
            wait_for("haproxy", up)
            for name, data, _ in MALFORMED:
                s = socket.create_connection(("127.0.0.1", front), 10)
                out, _ = talk(s, data, 2)
                got = statuses(out)
                assert len(got) <= 1, (name, got)
                # Some it repairs before it forwards them.
                assert all(x >= 400 for x in got) or \
                    name in REPAIRED, (name, got)
                # Nothing is left on the connection to the server: the next
                # request gets its own answer.
                s = socket.create_connection(("127.0.0.1", front), 10)
                out, _ = talk(s, GOOD.replace(
                    b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
                assert statuses(out) == [200], (name, out[:300])
                assert b"application/pkcs7-mime" in out, name
        finally:
            proxy.terminate()
            proxy.wait()


def test_connections_within_the_hard_limit_of_open_files(build):
    """The soft limit is raised to it; what is configured beyond is refused,
    and said at the start."""
    need("prlimit")
    with Ca(build, edit=lambda t: t.replace(
            "process:\n", "process:\n  workers: 2\n")) as c:
        c.under = ["prlimit", "--nofile=64:400", "--"]
        c.start()
        assert 'limits.connections configured="4096" served="400"' in c.log()
        links = []
        try:
            # 200 each, and SO_REUSEPORT spreads them by chance.
            for _ in range(300):
                s = socket.create_connection(("127.0.0.1", c.http))
                s.settimeout(10)
                links.append(s)
            for s in links:
                s.sendall(b"GET /crl/none HTTP/1.1\r\nHost: x\r\n\r\n")
            answered = sum(s.recv(12) == b"HTTP/1.1 404" for s in links)
            assert answered >= 250, answered
            for _ in range(300):
                links.append(socket.create_connection(
                    ("127.0.0.1", c.http)))
        finally:
            for s in links:
                s.close()
        wait_for("room again",
                 lambda: c.curl(f"http://127.0.0.1:{c.http}/crl/none",
                                check=False).status == 404)
        assert "worker.failed" not in c.log()
