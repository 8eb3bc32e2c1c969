"""OCSP responders by the clock: keys and certificates that follow each other,
and an authority that is retired."""

import re
import time

from harness import Ca, ca, wait_for
from test_ocsp import openssl, with_ocsp

DAY_S = 86400


def ask(c, pem, shift, *more):
    """openssl's judgement at that time: (status, responder id, its cert)."""
    out = openssl(c, "-resp_text", "-attime", str(int(time.time()) + shift),
                  "-validity_period", str(1000 * DAY_S), *more, pem=pem,
                  check=False)
    if "Responder Error: trylater" in out:
        return "tryLater", None, None
    assert "Response verify OK" in out, out
    status = re.search(re.escape(pem) + r": (\w+)", out).group(1)
    who = re.search(r"Responder Id: (\w+)", out).group(1)
    cert = re.search(r"Certificate:.*?Serial Number:\s*(\S+)", out,
                     re.S).group(1)
    return status, who, cert


def test_key_and_certificate_of_a_responder_are_followed_by_new_ones(build):
    """Half of the week before the last answer may need it; answers go on."""
    with Ca(build, edit=lambda t: with_ocsp(t, "valid: 6h")) as c:
        c.jump(0)
        c.start()
        _, pem = c.device("dev")
        seen = [ask(c, pem, 0)]
        assert seen[0][0] == "good", seen
        signer = c.pids("signer")
        for days in (4, 8, 12):
            shift = days * DAY_S
            c.jump(shift)

            def followed(shift=shift):
                now = ask(c, pem, shift)
                # Never a moment without an answer.
                assert now[0] == "good", now
                return now[1:] != seen[-1][1:] and now
            seen.append(wait_for("a new responder", followed))
            assert ask(c, pem, shift, "-no_nonce")[0] == "good"
            # On every worker, and for good.
            for _ in range(10):
                assert ask(c, pem, shift) == seen[-1]
        for part in (1, 2):
            assert len({s[part] for s in seen}) == len(seen), seen
        assert c.pids("signer") == signer
        # One that was not due stays.
        c.jump(13 * DAY_S)
        time.sleep(2)
        assert ask(c, pem, 13 * DAY_S) == seen[-1]


def retire(c):
    c.stop()
    with open(c.conf) as f:
        text = f.read()
    text = text.replace("certificate: ca/issuing.pem,",
                        "retired: yes, certificate: ca/issuing.pem,")
    text = re.sub(r"  est: \{ address:.*\n", "  est: { address: \"\" }\n",
                  text)
    text = text[:text.index("\nenroll:")] + "\n"
    with open(c.conf, "w") as f:
        f.write(text)


def test_retired_authority_answers_until_its_last_certificate_ends(build):
    with ca(build, edit=lambda t: with_ocsp(t, "valid: 6h")) as c:
        _, good = c.device("good")
        _, bad = c.device("bad")
        retire(c)
        c.jump(0)
        c.start()
        assert ask(c, good, 0)[0] == "good"
        c.mica("revoke", "--file", bad)
        assert ask(c, bad, 0)[0] == "revoked"
        csr = c.csr("more", "/CN=more")[1]
        p = c.mica("cert", "issue", "--device", "more", "--authority",
                   "factory", "--profile", "sensor", "--csr", csr,
                   check=False)
        assert p.returncode != 0, p.stdout
        # Its responder goes on by new certificates of its own.
        before = ask(c, good, 0)
        c.jump(5 * DAY_S)
        wait_for("a new responder",
                 lambda: ask(c, good, 5 * DAY_S)[1:] != before[1:])
        # Until two years later all that it issued has ended.
        c.jump(740 * DAY_S)
        wait_for("its end", lambda: "ocsp.responder_over" in c.log())
        assert ask(c, good, 740 * DAY_S)[0] == "tryLater"
