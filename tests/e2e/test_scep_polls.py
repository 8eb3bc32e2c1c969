"""CertPoll's rows of the authorization matrix: who asks for a request that
waits, and what happens between the question and the answer."""

from harness import run, serial
from test_scep import FAIL
from test_scep_matrix import (
    ENROL, POLL, REFUSED, RENEW, STATUS, WAITS, Cell, check, check_issued,
    name_of, waiting, world)


# --- who asks
def by_wrong_transaction(_):
    return {"transaction": "another"}


def by_other_key(x):
    x.key, x.cert = x.c.self_signed(x.device + "-thief")
    return {}


def by_other_device(x):
    y = Cell(x.c, x.device + ".thief")
    y.own()
    x.key, x.cert = y.key, y.cert
    return {}


def by_maker(x):
    """Of the same name, vouched for, of another key."""
    x.key = x.c.key(x.device, "rsa2048")
    x.foreign(x.c.maker)
    return {}


def at_other_label(_):
    return {"label": "asked-too"}


def at_label_where_nobody_is_asked(_):
    return {"label": ""}


def at_other_authority(_):
    return {"label": "far"}


STRANGERS = (by_wrong_transaction, by_other_key, by_other_device, by_maker,
             at_other_label, at_label_where_nobody_is_asked,
             at_other_authority)


def test_what_waits_is_told_to_who_asked_alone(build):
    with world(build) as c:
        for renewal in (False, True):
            for stranger in STRANGERS:
                x, poll, number = waiting(
                    c, name_of(stranger, renewal), renewal)
                mine = x.key, x.cert
                how = {"transaction": x.transaction, **stranger(x)}
                theirs = x.key, x.cert
                for state in ("waiting", "approved", "issued"):
                    assert c.waiting_of(x.device)[0]["state"] == state
                    x.key, x.cert = theirs
                    got = check(x, POLL, poll, REFUSED, **how)
                    assert got["fail"] == FAIL["badCertId"], got
                    x.key, x.cert = mine
                    if state == "waiting":
                        c.mica("request", "approve", str(number))
                    elif state == "approved":
                        check_issued(x, poll)
        # Of the same key under another name it is the requester's.
        x, poll, _ = waiting(c, "renamed")
        _, x.cert = c.self_signed("renamed-other", x.key)
        got = x.post(POLL, poll, transaction=x.transaction)
        assert got["status"] == STATUS[WAITS], got


# --- what happens between asking and picking up
def goes_denied(x, number):
    x.c.mica("request", "deny", number)


def goes_denied_after_all(x, number):
    x.c.mica("request", "approve", number)
    x.c.mica("request", "deny", number)


def goes_suspended(x, number):
    x.c.mica("request", "approve", number)
    x.c.mica("device", "suspend", x.device)


def goes_revoked(x, number):
    """The certificate that is renewed."""
    x.c.mica("request", "approve", number)
    x.c.mica("revoke", "--serial", serial(x.cert))


def goes_held(x, number):
    x.c.mica("request", "approve", number)
    x.c.mica("hold", "--serial", serial(x.cert))


BETWEEN = ((goes_denied, False), (goes_denied_after_all, False),
           (goes_suspended, False), (goes_suspended, True),
           (goes_revoked, True), (goes_held, True))


def test_an_approval_outweighs_nothing(build):
    with world(build) as c:
        for i, (change, renewal) in enumerate(BETWEEN):
            x, poll, number = waiting(c, name_of(change, i), renewal)
            change(x, str(number))
            for _ in range(2):
                check(x, POLL, poll, REFUSED, transaction=x.transaction)
                check(x, RENEW if renewal else ENROL, x.request(), REFUSED,
                      transaction=x.transaction)
            if change == goes_suspended:
                c.mica("device", "resume", x.device)
                check_issued(x, poll)
