"""No padding oracle over SCEP (RFC 3218): wrong padding of the content key is
answered as a wrong content key is, by the same bytes, in the same time."""

import os
import random
import re
import time

from harness import Skip, alone, run
from softhsm import Token
from test_scep import UNLIMITED, Poster, Scep, ra_into

WAYS = ("first-octet", "block-type", "no-end", "empty-padding", "early-end",
        "end-in-padding", "long-key", "short-key")
CI, LONG = os.environ.get("MICA_TEST_CI"), os.environ.get("MICA_TEST_LONG")
TRIES = 10000 if CI or LONG else 1000
IN_TOKEN_TRIES = 10000 if LONG else 3000
MESSAGES = 4  # of each way: one alone might be a special one
# Of leakage tests by Welch's t: further apart means that they differ.
APART = 4.5
SENDER_NONCE = bytes.fromhex("060a6086480186f845010905" "31120410")
SIGNATURE_BYTES = 256


def padded(c, key, cert, content, way):
    out = []
    for i in range(MESSAGES):
        path = c.path(f"{way}.{i}")
        run(c.bin("tests/e2e/scep_client"), "pad", path, content, key, cert,
            c.ra, "the-same-transaction", way)
        with open(path, "rb") as f:
            out.append(f.read())
    return out


def without_chance(reply):
    """A CertRep less what is random by nature: the senderNonce, the reference
    for the log, and so the signature."""
    at = reply.index(SENDER_NONCE) + len(SENDER_NONCE)
    reply = reply[:at] + bytes(16) + reply[at + 16:-SIGNATURE_BYTES]
    reply, n = re.subn(rb"\(reference [0-9a-f]{8}\)", b"(reference)", reply)
    assert n == 1, reply
    return reply


def mean_and_error(values):
    mean = sum(values) / len(values)
    spread = sum((v - mean) ** 2 for v in values) / (len(values) - 1)
    return mean, spread / len(values)


def welch_t(a, b):
    (mean_a, error_a), (mean_b, error_b) = mean_and_error(a), mean_and_error(b)
    return (mean_a - mean_b) / (error_a + error_b) ** 0.5


def ask_all(c, kinds, tries):
    """All kinds by turns of chance: the seconds that each answer took, and the
    different ones there were."""
    rng = random.Random(3218)
    poster = Poster(c)
    turns = [kind for kind in kinds for _ in range(tries // len(kinds))]
    rng.shuffle(turns)
    took = {kind: [] for kind in kinds}
    said = {kind: set() for kind in kinds}
    for kind in turns:
        message = rng.choice(kinds[kind])
        began = time.perf_counter()
        status, _, body = poster.post(message)
        took[kind].append(time.perf_counter() - began)
        assert status == 200, (kind, status, body)
        said[kind].add(without_chance(body))
    # What else the machine did is in the slowest.
    cut = sorted(t for v in took.values() for t in v)[len(turns) * 3 // 4]
    return {k: [t for t in v if t < cut] for k, v in took.items()}, said


def check(c, tries):
    key, cert = c.self_signed("router-1")
    content = c.request("router-1", key, c.router_token("router-1"))
    kinds = {way: padded(c, key, cert, content, way)
             for way in ("right",) + WAYS}
    # To see that times can be told apart at all: refused before the
    # registration authority's key is used.
    with open(c.message(content, key, cert, cipher="camellia-128-cbc",
                        transaction="the-same-transaction"), "rb") as f:
        kinds["unopened"] = [f.read()]
    took, said = ask_all(c, kinds, tries)
    assert len(said["right"]) == 1
    t = {way: welch_t(took["right"], took[way])
         for way in WAYS + ("unopened",)}
    for way in WAYS:
        assert said[way] == said["right"], (way, said[way])
    print({way: round(x, 1) for way, x in t.items()})
    assert t["unopened"] > 2 * APART, t
    assert all(abs(t[way]) < APART for way in WAYS), t
    assert not c.json("device", "list")["devices"] or \
        not c.json("device", "show", "router-1")["certificates"]


@alone
def test_wrong_padding_is_a_wrong_key(build):
    with Scep(build, UNLIMITED).up() as c:
        check(c, TRIES)


@alone
def test_wrong_padding_is_a_wrong_key_in_a_token(build):
    if not CI and not LONG:
        raise Skip("runs under ./check --ci and --long")
    with Token() as token, Scep(build, UNLIMITED) as c:
        ra_into(token, c)
        check(c.up(), IN_TOKEN_TRIES)
