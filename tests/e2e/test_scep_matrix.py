"""SCEP's rows of the authorization matrix: who signs the message, what token
stands in it, and of which type it is. What is not listed as issued is refused,
and changes nothing."""

import os

from harness import Skip, run, serial
from test_scep import FAIL, UNLIMITED, der, issuer_and_serial, run_bytes
from test_scep_shared import SECRET, Shared

ENROL, RENEW, POLL, CERT, CRL = "19", "17", "20", "21", "22"
UNKNOWN = ("3", "18")  # CertRep, and what RFC 8894 has not


class Cell:
    """A device, what signs its message, and its request."""

    def __init__(self, c, device):
        self.c, self.device = c, device
        self.key, self.cert = c.self_signed(device)
        self.request_key, self.challenge = self.key, None
        self.label = ""

    def give(self, device=None, *more):
        self.challenge = self.c.token(device or self.device, *(
            more or ("--profile", "router")))

    def post(self, kind, content, **kw):
        c = self.c
        return c.read(c.post(c.message(content, self.key, self.cert,
                                       kind=kind, **kw), self.label),
                      self.key, self.cert)

    def request(self):
        return self.c.request(self.device, self.request_key, self.challenge)

    def own(self, device=None):
        """A certificate of ours, and the request for the next one."""
        self.key, _, got = self.c.enrol(device or self.device)
        assert got["status"] == "0", got
        self.cert = got["pem"]
        self.request_key = self.c.key(self.device + ".next", "rsa2048")
        self.challenge = None

    def foreign(self, name="stranger"):
        """Another CA's certificate, for the request's key."""
        c = self.c
        ca_key, ca_pem = c.self_signed(name)
        self.cert = c.path(self.device + ".foreign.pem")
        csr = c.path(self.device + ".foreign.csr")
        run("openssl", "req", "-new", "-key", self.key, "-subj",
            f"/CN={self.device}", "-out", csr)
        run("openssl", "x509", "-req", "-in", csr, "-CA", ca_pem, "-CAkey",
            ca_key, "-set_serial", "7", "-out", self.cert)


def nothing(_):
    pass


def token(x):
    x.give()


def token_wrong(x):
    x.challenge = "0" * 26


def token_of_other_profile(x):
    x.give(None, "--profile", "sensor")


def token_for_another_key(x):
    """The message is signed by a key that the request is not for."""
    x.give()
    x.request_key = x.c.key(x.device + ".other", "rsa2048")


def token_spent(x):
    x.give()
    got = x.post(ENROL, x.request())
    assert got["status"] == "0", got


def token_suspended(x):
    x.give()
    x.c.mica("device", "suspend", x.device)


def foreign(x):
    x.foreign()


def foreign_with_token(x):
    x.foreign()
    x.give()


def own(x):
    x.own()


def own_at_label_that_does_not_renew(x):
    x.own()
    x.label = "old"


def own_revoked(x):
    x.own()
    x.c.mica("revoke", "--serial", serial(x.cert))


def own_suspended(x):
    x.own()
    x.c.mica("device", "suspend", x.device)


def own_of_other(x):
    """Its request says that it is this device."""
    x.own(x.device + "-other")


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
    (token_of_other_profile, False, False),
    (token_for_another_key, False, False),
    (token_spent, False, False),
    (token_suspended, False, False),
    (foreign, False, False),
    (foreign_with_token, True, False),
    (own, True, True),
    (own_at_label_that_does_not_renew, False, False),
    (own_revoked, False, False),
    (own_suspended, False, False),
    (own_of_other, False, False),
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


def valid(c):
    """Certificates that are good, of all devices."""
    return c.json("authority", "list")["authorities"][0]["certificates"]


def check(x, kind, content, want):
    before = valid(x.c)
    got = x.post(kind, content)
    where = (x.device, kind, got)
    assert (got["status"] == "0") == want, where
    assert valid(x.c) == before + (want and kind in (ENROL, RENEW)), where
    if not want:
        assert got["status"] == "2" and "(reference " in got["text"], where
    return got


def asked_for(c, pem):
    """IssuerAndSerialNumber; IssuerAndSubject of nobody who waits."""
    path, poll = c.path("asked"), c.path("poll")
    with open(path, "wb") as f:
        f.write(issuer_and_serial(pem, serial(pem)))
    name = der(0x30, b"")
    with open(poll, "wb") as f:
        f.write(der(0x30, name + name))
    return path, poll


def test_only_what_is_listed_is_issued(build):
    if not os.environ.get("MICA_TEST_CI"):
        raise Skip("runs under ./check --ci")
    with Shared(build, UNLIMITED).up() as c:
        _, _, known = c.enrol("known")
        asked, poll = asked_for(c, known["pem"])
        for prepare, by_enrol, by_renew in MATRIX:
            x = Cell(c, f"{prepare.__name__}.{RENEW}")
            prepare(x)
            check(x, RENEW, x.request(), by_renew)
            x = Cell(c, f"{prepare.__name__}.{ENROL}")
            prepare(x)
            content = x.request()
            # No other type issues what this one would, or spends a token.
            for other in UNKNOWN:
                got = check(x, other, content, False)
                assert got["fail"] == FAIL["badRequest"], got
            check(x, POLL, poll, False)
            check(x, CERT, asked, True)
            check(x, CRL, asked, True)
            check(x, CERT, content, False)
            check(x, ENROL, content, by_enrol)
