"""GetNextCACert (RFC 8894 section 4.7): from one generation of an authority to
the next, over SCEP. Judged by openssl's cms."""

import os
import re
import shutil
import tempfile

from harness import run, serial
from test_rollover import NEW, OLD, enter, fingerprint, roll
from test_scep import Scep, run_bytes


def ask(c, label="", more=""):
    return c.curl(c.scep(label, op="GetNextCACert") + more)


def offers(c, label=""):
    return "GetNextCACert" in c.curl(
        c.scep(label, op="GetCACaps")).text().split()


def signed(c, answer, by, not_by):
    """What was signed by that one's key, and not by the other's, once openssl
    has verified it up to the old CA."""
    assert answer.status == 200, (answer.status, answer.text())
    assert answer.headers["Content-Type"] == \
        "application/x-x509-next-ca-cert", answer.headers
    message, content = c.path("next.der"), c.path("next.p7")
    with open(message, "wb") as f:
        f.write(answer.body)
    argv = ("openssl", "cms", "-verify", "-inform", "DER", "-in", message,
            "-binary", "-purpose", "any", "-out", content)
    other = run(*argv, "-noverify", "-nointern", "-certfile", not_by,
                check=False)
    assert other.returncode != 0
    run(*argv, "-noverify", "-nointern", "-certfile", by)
    run(*argv, "-CAfile", c.ca_pem, "-partial_chain")
    with open(content, "rb") as f:
        return f.read()


def certs(c, p7):
    pem = run_bytes("openssl", "pkcs7", "-inform", "DER", "-print_certs",
                    stdin=p7).decode()
    out = []
    for block in re.findall(r"-----BEGIN CERT.*?-----END CERTIFICATE-----\n",
                            pem, re.S):
        out.append(c.path(f"next{len(out)}.pem"))
        with open(out[-1], "w") as f:
            f.write(block)
    return out


def test_next_ca_is_told_by_whom_the_old_one_is_trusted(build):
    with tempfile.NamedTemporaryFile("w", suffix=".pass") as f:
        f.write("correct horse battery staple\n")
        f.flush()
        with Scep(build, init=("--root-passphrase-file", f.name)) as c:
            shutil.copy(f.name, c.path("root.pass"))
            c.up()
            rollover(c)


def rollover(c):
    assert not offers(c) and ask(c).status == 404
    # the next generation is there, and the labels are the old one's
    enter(c, roll(c))
    c.fetch_ra()
    assert offers(c) and offers(c, "old")
    content = signed(c, ask(c), c.ca_pem, c.ra)
    given = [fingerprint(x) for x in certs(c, content)]
    new = os.path.join(c.home, "ca", NEW + ".pem")
    assert given == [fingerprint(new), fingerprint(c.root)], given
    # the same again, and at the other label
    assert signed(c, ask(c, "old"), c.ca_pem, c.ra) == content
    # clients of the drafts verify by the RA's certificate, which GetCACert
    # named, and look for certificates beside the signature
    for more in ("&message=", "&message=CAIdentifier"):
        answer = ask(c, more=more)
        assert signed(c, answer, c.ra, c.ca_pem) == content
        assert [fingerprint(x) for x in certs(c, answer.body)] == \
            [fingerprint(c.ra)] + given
    # the old one issues still
    _, _, got = c.enrol("router-1")
    assert got["status"] == "0", got
    shown = c.json("cert", "show", serial(got["pem"]))
    assert shown["authority"] == OLD, shown
    # one that was revoked before it began is told to nobody
    c.mica("authority", "revoke", NEW, "--reason", "keyCompromise")
    c.stop()
    c.up()
    assert not offers(c) and ask(c).status == 404
