"""No padding oracle over SCEP (RFC 3218): wrong padding of the content key is
answered as a wrong content key is, by the same bytes, in the same time. And no
other one: of a ciphertext that the sender did not make, the answer does not
tell what it decrypts to."""

import os
import random
import re
import time

from harness import Skip, alone, run
from softhsm import Token
from test_scep import (UNLIMITED, Poster, Scep, der, issuer_and_serial,
                       ra_into)

WAYS = ("first-octet", "block-type", "no-end", "empty-padding", "early-end",
        "end-in-padding", "long-key", "short-key")
CI, LONG = os.environ.get("MICA_TEST_CI"), os.environ.get("MICA_TEST_LONG")
TRIES = 10000 if CI or LONG else 1000
IN_TOKEN_TRIES = 10000 if LONG else 3000
MESSAGES = 4  # of each way: one alone might be a special one
# Of leakage tests by Welch's t: further apart means that they differ.
APART = 4.5
MEASURES = 3  # on a machine that does so much else that nothing is told apart
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
    for _ in range(MEASURES):
        took, said = ask_all(c, kinds, tries)
        assert len(said["right"]) == 1
        for way in WAYS:
            assert said[way] == said["right"], (way, said[way])
        t = {way: welch_t(took["right"], took[way])
             for way in WAYS + ("unopened",)}
        print({way: round(x, 1) for way, x in t.items()})
        if t["unopened"] > 2 * APART:
            break
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


def whole_blocks(content, last=None):
    """With the padding of RFC 5652 section 6.3, or with another last octet."""
    n = 16 - len(content) % 16
    out = content + bytes([n]) * n
    return out if last is None else out[:-1] + bytes([last])


def contents(c):
    """By messageType: what decrypts well and is refused for what it says."""
    with open(c.request("router-1", c.key("router-1", "rsa2048")), "rb") as f:
        request = f.read()
    at = request.index(b"\x02\x01\x00")
    version = request[:at + 2] + b"\x05" + request[at + 3:]
    at = request.rindex(bytes.fromhex("2a864886f70d01010b"))
    algorithm = request[:at + 8] + b"\x7f" + request[at + 9:]
    requests = [version, algorithm, request[:-1] + bytes([request[-1] ^ 1])]
    name = der(0x30, b"")
    serials = [issuer_and_serial(c.ca_pem, "0102"),
               der(0x30, name + der(0x02, b"\x01"))]
    return {"19": requests, "20": [der(0x30, name + name)],
            "21": serials, "22": serials[:1]}


def test_what_a_changed_ciphertext_decrypts_to_is_not_told(build):
    """CBC: who changes blocks of another's ciphertext may not learn whether the
    padding is right, nor what structure comes out."""
    with Scep(build, UNLIMITED).up() as c:
        key, cert = c.self_signed("stranger")
        for kind, list_ in contents(c).items():
            told = {}
            for good in list_:
                for blocks in (whole_blocks(good), whole_blocks(good, 0)):
                    with open(c.path("blocks"), "wb") as f:
                        f.write(blocks)
                    out = c.path("blocks.message")
                    run(c.bin("tests/e2e/scep_client"), "blocks", out,
                        c.path("blocks"), key, cert, c.ra, "t", kind)
                    got = c.read(c.post(out), key, cert)
                    text = re.sub("reference [0-9a-f]{8}", "", got["text"])
                    told[got["status"], got["fail"], text] = blocks.hex()
            assert len(told) == 1, (kind, told)
