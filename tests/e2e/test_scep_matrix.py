"""SCEP's rows of the authorization matrix: who signs the message, what token
stands in it, where it is sent, and of which type it is. What is not listed as
issued is refused, and changes nothing: the store says so, and the audit trail."""

import contextlib
import os
import shutil

from harness import Skip, run, serial, wait_for
from test_authority_keys import found
from test_crash import Api
from test_requests import Manual
from test_scep import FAIL, UNLIMITED, der, issuer_and_serial, run_bytes
from test_scep_shared import SECRET, Shared

ENROL, RENEW, POLL, CERT, CRL = "19", "17", "20", "21", "22"
# CertRep, and what RFC 8894 section 3.2.1.2 has not
UNKNOWN = ("3", "0", "18", "23", "99")
DAY_S = 86400
ISSUED, WAITS, REFUSED, GIVEN = "issued", "waits", "refused", "given"
STATUS = {ISSUED: "0", GIVEN: "0", REFUSED: "2", WAITS: "3"}

PROFILES = """profiles:
  late:
    keys: [rsa2048]
    validity: 10d
    subject: { CN: "%{device}" }
    eku: [client_auth]
    renew: { from: 66%, grace: 2d, new_key: required }
  over:
    keys: [rsa2048]
    validity: 10d
    subject: { CN: "%{device}" }
    eku: [client_auth]
    renew: { from: 0%, supersede_after: 1d }
"""
LABELS = """  scep:
    - { label: asked, authority: factory, profile: router, approve: manual }
    - { label: asked-too, authority: factory, profile: router,
        approve: manual }
    - { label: late, authority: factory, profile: late }
    - { label: over, authority: factory, profile: over }
    - { label: far, authority: other, profile: router }
    - { label: made, authority: factory, profile: router, allow: [idevid],
        anchors: [maker] }
"""


class World(Shared):
    """Two authorities; labels that issue, that wait for an operator, and that
    take a maker's certificates. Keys are made once: what is asked of them here
    is that two of them differ."""

    name_of = Manual.name_of

    def __init__(self, build):
        self.keys, self.turn = [], 0
        super().__init__(build, UNLIMITED)
        self.keys = [super(World, self).key(f"pool{i}", "rsa2048")
                     for i in range(8)]
        self.maker = self.self_signed("maker")
        found(self, "p256", "p256")
        self.add_authority()
        with open(self.conf) as f:
            text = f.read()
        for old, new in (
                ("profiles:\n", PROFILES),
                ("  scep:\n", LABELS),
                ("keys:\n", "keys:\n  other: { file: other.key }\n"
                 "  far: { file: far.key }\n"),
                ("authorities:\n", "authorities:\n  other: { certificate: "
                 "ca/other.pem, chain: ca/root.pem, key: other, "
                 "ra: { key: far } }\n")):
            assert "\n" + old in text, old
            text = text.replace("\n" + old, "\n" + new, 1)
        text += f"\ntrust: {{ maker: {{ certificates: {self.maker[1]} }} }}\n"
        with open(self.conf, "w") as f:
            f.write(text)
        self.api = Api(os.path.join(self.home, "admin.sock"))
        self.seen, self.refused = 0, 0
        self.jump(0)

    def add_authority(self):
        ceremony = [self.bin("mica-signer"), "--ceremony"]
        keys = os.path.join(self.home, "keys")
        owner = os.stat(os.path.join(keys, "issuing.key"))
        for name, kind in (("other", "p256"), ("far", "rsa2048")):
            path = os.path.join(keys, name + ".key")
            run(*ceremony, "make-key", "--out", path, "--type", kind)
            os.chown(path, owner.st_uid, owner.st_gid)
        run(*ceremony, "authority", "--issuer-key", self.path("root.key"),
            "--issuer-cert", self.root, "--key",
            os.path.join(keys, "other.key"), "--subject", "CN=Other",
            "--validity", "10y", "--path-length", "0", "--out",
            os.path.join(self.home, "ca", "other.pem"))

    def up(self):
        self.start()
        self.fetch()
        return self

    def fetch(self):
        """The registration authorities' certificates."""
        scep = self.scep
        self.scep = lambda label="", **kw: scep(label or "far", **kw)
        try:
            self.fetch_ra()
        finally:
            self.scep = scep
        self.far_ra, self.far_ca = self.path("far-ra.pem"), \
            self.path("far-ca.pem")
        shutil.copy(self.ra, self.far_ra)
        shutil.copy(self.ca_pem, self.far_ca)
        self.fetch_ra()

    def key(self, name, kind="p256"):
        if kind != "rsa2048" or not self.keys:
            return super().key(name, kind)
        self.turn += 1
        return self.keys[self.turn % len(self.keys)]

    # --- what is on record
    def get(self, path):
        status, answer = self.api.call("GET", path)
        assert status in (200, 404), (path, status, answer)
        return answer if status == 200 else None

    def issued_to(self, device):
        """Serial numbers; those in good standing and the others."""
        found = self.get(f"/v1/certs?device={device}&max=100")
        return {x["serial"] for x in found["certificates"]} if found else set()

    def waiting_of(self, device):
        out = []
        for state in ("open", "closed"):
            found = self.get(f"/v1/requests?state={state}&max=100")
            assert "cursor" not in found, found
            out += [x for x in found["requests"] if x["device"] == device]
        return out

    def trail(self, device):
        """What the trail has of a device since it was last read."""
        out = []
        while True:
            page = self.get(f"/v1/audit?max=100&cursor={self.seen + 1}")
            assert "broken_at" not in page, page
            if not page["entries"]:
                return [e for e in out if e["object"].startswith(device)]
            out += page["entries"]
            self.seen = page["entries"][-1]["number"]


class Cell:
    """A device, what signs its message, and its request."""

    def __init__(self, c, device, label=""):
        self.c, self.device = c, device
        self.key, self.cert = c.self_signed(device)
        self.request_key, self.challenge = self.key, None
        self.name, self.label, self.by = device, label, "token"
        self.transaction = device

    def token(self, device=None, profile="router", authority="factory"):
        return self.c.token(device or self.device, "--profile", profile,
                            "--authority", authority)

    def give(self, device=None, *args):
        self.challenge = self.token(device, *args)

    def post(self, kind, content, label=None, **kw):
        """At its label; what came back."""
        c, label = self.c, self.label if label is None else label
        ra, ca = (c.far_ra, c.far_ca) if label == "far" else (c.ra, c.ca_pem)
        kept = c.ra, c.ca_pem
        c.ra, c.ca_pem = ra, ca
        try:
            return c.read(c.post(c.message(
                content, self.key, self.cert, kind=kind, **kw), label),
                self.key, self.cert)
        finally:
            c.ra, c.ca_pem = kept

    def request(self):
        return self.c.request(self.name, self.request_key, self.challenge)

    def own(self, device=None, label="", profile="router",
            authority="factory"):
        """A certificate of ours, and the request for the next one."""
        device = device or self.device
        content = self.c.request(device, self.key, self.token(
            device, profile, authority))
        got = self.post(ENROL, content, label)
        assert got["status"] == "0", (device, got)
        self.cert = got["pem"]
        self.by = "certificate " + serial(self.cert)
        self.request_key = self.c.key(self.device + ".next", "rsa2048")

    def foreign(self, ca=None, name=None, more=()):
        """Another CA's certificate, for the request's key."""
        c = self.c
        ca_key, ca_pem = ca or c.self_signed("stranger")
        self.cert = c.path(self.device + ".foreign.pem")
        csr = c.path(self.device + ".foreign.csr")
        run("openssl", "req", "-new", "-key", self.key, "-subj",
            f"/serialNumber={name or self.device}", "-out", csr)
        run("openssl", "x509", "-req", "-in", csr, "-CA", ca_pem, "-CAkey",
            ca_key, "-set_serial", "7", "-days", "30", *more, "-out",
            self.cert)

    def idevid(self, name=None):
        """The maker's, and a request for another key."""
        self.foreign(self.c.maker, name)
        self.label, self.by = "made", "idevid maker"
        self.request_key = self.c.key(self.device + ".own", "rsa2048")


# --- rows: what is prepared
def nothing(_):
    pass


def token(x):
    x.give()


def token_wrong(x):
    x.challenge = "0" * 26


def token_of_other_device(x):
    x.give(x.device + "-other")


def token_of_other_profile(x):
    x.give(None, "late")


def token_of_other_authority(x):
    x.give(None, "router", "other")


def token_for_another_key(x):
    """The message is signed by a key that the request is not for."""
    x.give()
    x.request_key = x.c.key(x.device + ".other", "rsa2048")


def token_spent(x):
    x.give()
    got = x.post(ENROL, x.request(), "")
    assert got["status"] == "0", got


def token_suspended(x):
    x.give()
    x.c.mica("device", "suspend", x.device)


def token_resumed(x):
    token_suspended(x)
    x.c.mica("device", "resume", x.device)


def foreign(x):
    x.foreign()


def foreign_with_token(x):
    x.foreign()
    x.give()


def foreign_with_token_for_another_key(x):
    """Nobody vouches for who signs, and so he brings what may be another's."""
    x.foreign()
    x.give()
    x.request_key = x.c.key(x.device + ".other", "rsa2048")


def idevid(x):
    x.idevid()


def idevid_elsewhere(x):
    x.idevid()
    x.label = ""


def idevid_of_other(x):
    x.idevid(x.device + "-other")


def idevid_of_stranger(x):
    x.idevid()
    x.foreign()


def idevid_suspended(x):
    x.idevid()
    got = x.post(ENROL, x.request())
    assert got["status"] == "0", got
    x.c.mica("device", "suspend", x.device)


def idevid_of_ours(x):
    """The operator's device: no maker speaks for it."""
    x.c.mica("device", "add", x.device)
    x.idevid()


def idevid_with_token(x):
    """That label takes no tokens, and the token made the device the
    operator's."""
    x.idevid()
    x.give()


def own(x):
    x.own()


def own_same_key(x):
    x.own()
    x.request_key = x.key


def own_at_label_that_does_not_renew(x):
    x.own()
    x.label = "old"


def own_at_label_of_other_profile(x):
    x.own()
    x.label = "late"


def own_at_label_of_other_authority(x):
    x.own()
    x.label = "far"


def own_of_other_profile(x):
    x.own(None, "late", "late")


def own_of_other_authority(x):
    x.own(None, "far", "router", "other")


def own_revoked(x):
    x.own()
    x.c.mica("revoke", "--serial", serial(x.cert))


def own_device_revoked(x):
    x.own()
    x.c.mica("revoke", "--device", x.device)


def own_revoked_with_token(x):
    """Who lost it enrols anew, and signs by another one."""
    own_revoked(x)
    x.give()


def own_held(x):
    x.own()
    x.c.mica("hold", "--serial", serial(x.cert))


def own_released(x):
    own_held(x)
    x.c.mica("release", "--serial", serial(x.cert))


def own_suspended(x):
    x.own()
    x.c.mica("device", "suspend", x.device)


def own_resumed(x):
    own_suspended(x)
    x.c.mica("device", "resume", x.device)


def own_of_other(x):
    """Its request says that it is this device."""
    x.own(x.device + "-other")


def own_naming_other(x):
    """Its request says that it is another one."""
    x.own()
    x.name = x.device + "-other"


def own_forged(x):
    """Ours but for its signature."""
    x.own()
    raw = bytearray(run_bytes("openssl", "x509", "-in", x.cert, "-outform",
                              "DER", stdin=b""))
    raw[-1] ^= 1
    with open(x.cert, "w") as f:
        f.write(run_bytes("openssl", "x509", "-inform", "DER",
                          stdin=bytes(raw)).decode())


def own_with_token(x):
    x.own()
    x.give()


def shared(x):
    x.label, x.challenge = "shared", SECRET
    x.by = "shared challenge of scep/shared"


def shared_wrong(x):
    x.label, x.challenge = "shared", SECRET[:-1] + "z"


def shared_at_label_that_has_none(x):
    x.challenge = SECRET


def shared_for_who_has_a_token(x):
    x.give()
    shared(x)


def shared_for_who_had_a_certificate(x):
    shared(x)
    got = x.post(ENROL, x.request())
    assert got["status"] == "0", got
    x.key, x.cert = x.c.self_signed(x.device + ".other")
    x.request_key = x.key


def shared_beside_own_of_other(x):
    x.own(x.device + "-other")
    shared(x)


def token_where_one_is_shared(x):
    x.give()
    x.label = "shared"


# Is a certificate issued: by PKCSReq, by RenewalReq?
MATRIX = (
    (nothing, False, False),
    (token, True, False),
    (token_wrong, False, False),
    (token_of_other_device, False, False),
    (token_of_other_profile, False, False),
    (token_of_other_authority, False, False),
    (token_for_another_key, False, False),
    (token_spent, False, False),
    (token_suspended, False, False),
    (token_resumed, True, False),
    (foreign, False, False),
    (foreign_with_token, True, False),
    (foreign_with_token_for_another_key, False, False),
    (idevid, True, False),
    (idevid_elsewhere, False, False),
    (idevid_of_other, False, False),
    (idevid_of_stranger, False, False),
    (idevid_suspended, False, False),
    (idevid_of_ours, False, False),
    (idevid_with_token, False, False),
    (own, True, True),
    (own_same_key, True, True),
    (own_at_label_that_does_not_renew, False, False),
    (own_at_label_of_other_profile, False, False),
    (own_at_label_of_other_authority, False, False),
    (own_of_other_profile, False, False),
    (own_of_other_authority, False, False),
    (own_revoked, False, False),
    (own_device_revoked, False, False),
    (own_revoked_with_token, False, False),
    (own_held, False, False),
    (own_released, True, True),
    (own_suspended, False, False),
    (own_resumed, True, True),
    (own_of_other, False, False),
    (own_naming_other, False, False),
    (own_forged, False, False),
    (own_with_token, True, True),
    (shared, True, False),
    (shared_wrong, False, False),
    (shared_at_label_that_has_none, False, False),
    (shared_for_who_has_a_token, False, False),
    (shared_for_who_had_a_certificate, False, False),
    (shared_beside_own_of_other, False, False),
    (token_where_one_is_shared, True, False),
)


# --- a cell is judged
def standing(x):
    devices = (x.device, x.device + "-other")
    issued, waiting = set(), []
    for d in devices:
        issued |= x.c.issued_to(d)
        waiting += x.c.waiting_of(d)
    return issued, waiting


def check_trail(x, want, new):
    """Each change is in the audit trail, by whom, and nothing else is."""
    trail = x.c.trail(x.device)
    events = [e["event"] for e in trail]
    if events and events[0] == "device.create":
        trail, events = trail[1:], events[1:]
    assert events == {
        ISSUED: ["issue.begin", "issue.finish"], WAITS: ["request.wait"],
    }.get(want, []), (x.device, want, events)
    for e in trail:
        assert e["object"] == x.device, e
        assert e["actor"].startswith(
            f"device {x.device} via {x.by} from 127.0.0.1"), (x.by, e)
    for number in new:
        assert all(f"serial={number} " in e["detail"] + " "
                   for e in trail), (number, trail)


def check(x, kind, content, want, **kw):
    issued, waiting = standing(x)
    x.c.trail("")
    got = x.post(kind, content, **kw)
    where = (x.device, kind, want, got)
    assert got["status"] == STATUS[want], where
    after, asked = standing(x)
    assert issued <= after and len(after) == len(issued) + (
        want == ISSUED), where
    assert len(asked) == len(waiting) + (want == WAITS), (where, asked)
    check_trail(x, want, after - issued)
    if want == REFUSED:
        x.c.refused += 1
        assert "(reference " in got["text"], where
    if want == ISSUED:
        assert after - issued == {serial(got["pem"])}, where
    return got


def asked_for(c, pem, name="asked"):
    """IssuerAndSerialNumber of a certificate; IssuerAndSubject of its own."""
    path, poll = c.path(name), c.path(name + ".poll")
    with open(path, "wb") as f:
        f.write(issuer_and_serial(pem, serial(pem)))
    with open(poll, "wb") as f:
        f.write(der(0x30, c.name_of(c.ca_pem) + c.name_of(pem)))
    return path, poll


@contextlib.contextmanager
def world(build):
    if not os.environ.get("MICA_TEST_CI"):
        raise Skip("runs under ./check --ci")
    with World(build) as c:
        yield c.up()
        refused = c.metrics()['mica_scep_answers_total{result="refused"}']
        assert refused == c.refused, (refused, c.refused)
        c.stop()
        run(c.bin("mica"), "--config", c.conf, "store", "check")


def name_of(prepare, *more):
    """A device's, of characters that a PrintableString has."""
    return ".".join((prepare.__name__.replace("_", "-"),
                     *(str(m) for m in more)))


def cells(c, rows, kind, label=None):
    """Those rows made ready; at that label those that name none."""
    for prepare, by_enrol, by_renew in rows:
        x = Cell(c, name_of(prepare, label or "auto", kind),
                 label or "")
        prepare(x)
        if label is None or x.label == label:
            yield x, by_renew if kind == RENEW else by_enrol


def test_only_what_is_listed_is_issued(build):
    with world(build) as c:
        known = Cell(c, "known")
        known.own()
        asked, poll = asked_for(c, known.cert)
        for x, allowed in cells(c, MATRIX, RENEW):
            check(x, RENEW, x.request(), ISSUED if allowed else REFUSED)
        for x, allowed in cells(c, MATRIX, ENROL):
            content = x.request()
            # No other type issues what this one would, or spends a token.
            for other in UNKNOWN:
                got = check(x, other, content, REFUSED)
                assert got["fail"] == FAIL["badRequest"], got
            got = check(x, CERT, content, REFUSED)
            assert got["fail"] == FAIL["badCertId"], got
            check(x, POLL, content, REFUSED)
            # The public part is told to everybody, by its own authority.
            here = x.label != "far"
            check(x, CERT, asked, GIVEN if here else REFUSED)
            check(x, CRL, asked, GIVEN if here else REFUSED)
            # Nothing waits at a label where nobody is asked.
            got = check(x, POLL, poll, REFUSED)
            assert got["fail"] == FAIL["badCertId"], got
            check(x, ENROL, content, ISSUED if allowed else REFUSED)


def test_what_waits_is_what_would_be_issued(build):
    """The same rows where an operator is asked: what is refused elsewhere
    waits for nobody; what would be issued waits, and is issued once it was
    approved, to who asked."""
    with world(build) as c:
        for kind in (RENEW, ENROL):
            for x, allowed in cells(c, MATRIX, kind, "asked"):
                content = x.request()
                check(x, kind, content, WAITS if allowed else REFUSED,
                      transaction=x.transaction)
                poll = poll_of(x)
                if not allowed:
                    check(x, POLL, poll, REFUSED, transaction=x.transaction)
                    continue
                number = c.waiting_of(x.device)[0]["id"]
                check_pending(x, kind, content, poll)
                c.mica("request", "approve", str(number))
                check_issued(x, poll)
                assert [r["state"] for r in c.waiting_of(x.device)] == \
                    ["issued"]


def poll_of(x):
    """IssuerAndSubject, as clients send it."""
    c = x.c
    path = c.path(x.device + ".poll")
    with open(path, "wb") as f:
        f.write(der(0x30, c.name_of(c.ca_pem) + c.name_of(x.cert)))
    return path


def check_pending(x, kind, content, poll):
    """Asked again, or for: it is the one request."""
    for again, what in ((kind, content), (POLL, poll)):
        x.c.trail("")
        got = x.post(again, what, transaction=x.transaction)
        assert got["status"] == STATUS[WAITS], got
        assert not x.c.trail(x.device)
    assert len(x.c.waiting_of(x.device)) == 1


def check_issued(x, poll):
    before = x.c.issued_to(x.device)
    x.c.trail("")
    got = x.post(POLL, poll, transaction=x.transaction)
    assert got["status"] == "0", got
    assert x.c.issued_to(x.device) - before == {serial(got["pem"])}
    events = [e["event"] for e in x.c.trail(x.device)]
    assert events == ["issue.begin", "request.issue", "issue.finish"], events


def waiting(c, name, renewal=False):
    """A cell whose request waits: (cell, its poll, its number)."""
    x = Cell(c, name, "asked")
    if renewal:
        x.own()
    else:
        x.give()
    check(x, RENEW if renewal else ENROL, x.request(), WAITS,
          transaction=x.transaction)
    return x, poll_of(x), c.waiting_of(x.device)[0]["id"]


# --- by the clock
def late(x):
    x.own(None, "late", "late")
    x.label = "late"


def late_same_key(x):
    late(x)
    x.request_key = x.key


def expired(x):
    """Of a profile without grace."""
    x.own()


def superseded(x):
    x.own(None, "over", "over")
    x.label = "over"
    kept, x.request_key = x.request_key, x.c.key(x.device, "rsa2048")
    got = x.post(RENEW, x.request())
    assert got["status"] == "0", got
    x.request_key = kept


def supersedes(x):
    """The newer one."""
    x.own(None, "over", "over")
    x.label = "over"
    got = x.post(RENEW, x.request())
    assert got["status"] == "0", got
    x.key, x.cert = x.request_key, got["pem"]
    x.by = "certificate " + serial(x.cert)
    x.request_key = x.c.key(x.device, "rsa2048")


def token_expired(x):
    x.give()


BY_CLOCK = {  # days: as MATRIX
    0: ((late, False, False), (superseded, True, True),
        (supersedes, True, True), (token_expired, True, False),
        (expired, True, True)),
    2: ((superseded, False, False), (supersedes, True, True),
        (token_expired, False, False), (expired, True, True)),
    6: ((late, False, False),),
    7: ((late, True, True), (late_same_key, False, False)),
    11: ((late, True, True), (expired, False, False),
         (supersedes, False, False)),
    13: ((late, False, False), (expired, False, False)),
}


def test_only_what_is_listed_is_issued_in_time(build):
    with world(build) as c:
        ready = []
        for days, rows in BY_CLOCK.items():
            for kind in (RENEW, ENROL):
                for prepare, by_enrol, by_renew in rows:
                    x = Cell(c, name_of(prepare, days, kind))
                    prepare(x)
                    ready.append((days, kind, x, by_renew if kind == RENEW
                                  else by_enrol))
        waits = [waiting(c, f"waits-{i}") for i in range(2)]
        c.mica("request", "approve", str(waits[1][2]))
        for days in BY_CLOCK:
            c.jump(days * DAY_S)
            due = [x.cert for _, _, x, _ in ready
                   if days > 1 and x.device.startswith("superseded")]
            wait_for("the old ones' end", lambda: all(
                c.get(f"/v1/certs/{serial(p)}")["state"] == "revoked"
                for p in due))
            c.fetch()
            for _, kind, x, allowed in [r for r in ready if r[0] == days]:
                check(x, kind, x.request(), ISSUED if allowed else REFUSED)
        # Nobody came for a week.
        for x, poll, _ in waits:
            wait_for("its end", lambda: "closed" in
                     c.waiting_of(x.device)[0])
            check(x, POLL, poll, REFUSED, transaction=x.transaction)
