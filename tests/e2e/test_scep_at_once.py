"""Messages of one transactionID that come at once, over connections and workers
of their own: one certificate. The signer, which opens each, is held until all
are there."""

import os
import signal
import threading
import time

from harness import Answer, Skip, serial
from test_requests import Manual
from test_scep import UNLIMITED, Poster, Scep

AT_ONCE = 12
TRIES = 100


class Sender(threading.Thread):
    """One message; sent again while it is in the hands of another worker."""

    def __init__(self, c, path, sent):
        super().__init__(daemon=True)
        with open(path, "rb") as f:
            self.message = f.read()
        self.poster, self.sent = Poster(c), sent
        self.busy, self.answer = 0, None

    def run(self):
        http = self.poster.http
        http.request("POST", "/scep?operation=PKIOperation", self.message)
        self.sent.wait()
        r = http.getresponse()
        status, kind, body = r.status, r.getheader("Content-Type"), r.read()
        while status == 503 and self.busy < TRIES:
            self.busy += 1
            time.sleep(0.01)
            status, kind, body = self.poster.post(self.message)
        self.answer = Answer(status, {"Content-Type": kind}, body)


def at_once(c, messages, meanwhile=lambda: None):
    """(message, key, certificate) each: what came back, and how often it was
    told that another was at it."""
    sent = threading.Barrier(len(messages) + 1)
    senders = [Sender(c, path, sent) for path, _, _ in messages]
    signers = c.pids("signer")
    for pid in signers:
        os.kill(pid, signal.SIGSTOP)
    try:
        for s in senders:
            s.start()
        sent.wait()
        meanwhile()
        time.sleep(0.2)  # until the workers have read them
    finally:
        for pid in signers:
            os.kill(pid, signal.SIGCONT)
    for s in senders:
        s.join(60)
    got = [c.read(s.answer, key, cert)
           for s, (_, key, cert) in zip(senders, messages)]
    return got, sum(s.busy for s in senders)


def certificates(c, device):
    return {x["serial"] for x in
            c.json("device", "show", device)["certificates"]}


def same(c, got, device, before=frozenset()):
    """All were given the one certificate that there is."""
    assert [g["status"] for g in got] == ["0"] * len(got), got
    new = certificates(c, device) - before
    assert len(new) == 1, new
    return new


def test_one_certificate_for_messages_that_come_at_once(build):
    with Scep(build, UNLIMITED).up() as c:
        key, cert = c.self_signed("router-1")
        content = c.request("router-1", key, c.router_token("router-1"))
        # One request, in envelopes of their own.
        got, busy = at_once(c, [
            (c.message(content, key, cert, transaction="one"), key, cert)
            for _ in range(AT_ONCE)])
        same(c, got, "router-1")
        assert busy > 0  # or they did not come at once
        if os.environ.get("MICA_TEST_CI"):
            one_token_for_many_keys(c)
            renewals(c, got[0]["pem"], key)


def one_token_for_many_keys(c):
    token, messages = c.router_token("router-2"), []
    for i in range(4):
        key, cert = c.self_signed(f"router-2.{i}")
        content = c.request("router-2", key, token)
        messages += [(c.message(content, key, cert, transaction="two"), key,
                      cert)] * 3
    got, _ = at_once(c, messages)
    served = [i // 3 for i, g in enumerate(got) if g["status"] == "0"]
    # The key that came first, each time that it asked.
    assert len(served) == 3 and len(set(served)) == 1, got
    assert len(certificates(c, "router-2")) == 1


def renewals(c, pem, key):
    """In both forms, signed by the old key."""
    before = certificates(c, "router-1")
    content = c.request("router-1", c.key("next", "rsa2048"))
    got, busy = at_once(c, [
        (c.message(content, key, pem, kind=kind, transaction="three"), key,
         pem) for kind in ("17", "19") * (AT_ONCE // 2)])
    same(c, got, "router-1", before)
    assert busy > 0


def test_one_certificate_at_the_moment_of_approval(build):
    """Polls, and the request again, while an operator says yes."""
    if not os.environ.get("MICA_TEST_CI"):
        raise Skip("runs under ./check --ci")
    with Manual(build, UNLIMITED).up() as c:
        key, cert = c.self_signed("router-1")
        content = c.request("router-1", key, c.router_token("router-1"))
        first = c.message(content, key, cert, transaction="one")
        assert c.read(c.post(first), key, cert)["status"] == "3"
        poll = c.poll_content(cert)
        messages = [
            (c.message(what, key, cert, kind=kind, transaction="one"), key,
             cert) for what, kind in ((poll, "20"), (content, "19")) * 6]
        got, busy = at_once(c, messages,
                            lambda: c.mica("request", "approve", "1"))
        new = same(c, got, "router-1")
        assert busy > 0
        again = c.poll(key, cert, "one", "router-1")
        assert {serial(again["pem"])} == new
        # A renewal, likewise.
        pem = again["pem"]
        content = c.request("router-1", c.key("next", "rsa2048"))
        renew = c.message(content, key, pem, kind="17", transaction="two")
        assert c.read(c.post(renew), key, pem)["status"] == "3"
        poll = c.poll_content(pem)
        got, _ = at_once(
            c, [(c.message(what, key, pem, kind=kind, transaction="two"), key,
                 pem) for what, kind in ((poll, "20"), (content, "17")) * 6],
            lambda: c.mica("request", "approve", "2"))
        same(c, got, "router-1", new)


def test_a_denial_stands_whatever_comes_at_once(build):
    """Approved and then denied, while polls are under way."""
    if not os.environ.get("MICA_TEST_CI"):
        raise Skip("runs under ./check --ci")
    with Manual(build, UNLIMITED).up() as c:
        key, cert = c.self_signed("router-1")
        content = c.request("router-1", key, c.router_token("router-1"))
        first = c.message(content, key, cert, transaction="one")
        assert c.read(c.post(first), key, cert)["status"] == "3"
        poll = c.poll_content(cert)

        def decide():
            c.mica("request", "approve", "1")
            c.mica("request", "deny", "1")
        got, _ = at_once(c, [
            (c.message(poll, key, cert, kind="20", transaction="one"), key,
             cert) for _ in range(AT_ONCE)], decide)
        assert {g["status"] for g in got} == {"2"}, got
        assert not certificates(c, "router-1")
