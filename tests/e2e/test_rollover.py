"""From one generation of an authority to the next: what devices are given,
whom they trust, and that the old one's status goes on. Judged by openssl and
strongSwan's pki."""

import contextlib
import os
import re
import shutil
import signal
import tempfile

from harness import ca, need, run, serial, wait_for
from test_hsm import hsm_ca

OLD, NEW = "factory", "factory-2"


def always(text):
    """Renewal from the first day."""
    return re.sub(r"renew: \{[^}]*\}", "renew: { from: 0%, grace: 90d, "
                  "new_key: allowed }", text)


def urls(text):
    return text + "publish: { url: 'http://127.0.0.1:1' }\n"


def edit(c, change, restart=False):
    """Change the configuration, and have the daemon take it up."""
    with open(c.conf) as f:
        text = f.read()
    with open(c.conf, "w") as f:
        f.write(change(text))
    run(c.bin("micad"), "--check-config", c.conf)
    if restart:
        c.stop()
        c.start()
        return
    old = set(c.pids("worker"))
    os.kill(c.process.pid, signal.SIGHUP)

    def taken_up():
        assert "reload.refused" not in c.log(), c.log()
        now = set(c.pids("worker"))
        return now and not now & old
    wait_for("new workers", taken_up)
    c.wait_ready()


def enter(c, snippet):
    """What mica authority roll printed goes into the configuration. A new key
    takes a restart."""
    sections = {}
    for line in snippet:
        if re.match(r"\w+:$", line):
            lines = sections.setdefault(line, [])
        else:
            lines.append(line)

    def whole(text):
        for head, lines in sections.items():
            at = text.index("\n" + head + "\n") + len(head) + 2
            text = text[:at] + "\n".join(lines) + "\n" + text[at:]
        return text
    edit(c, whole, restart=True)


def roll(c, *more):
    """The next generation, and the lines for the configuration."""
    return lines_of(c.mica(
        "authority", "roll", OLD, "--root-passphrase-file",
        c.path("root.pass"), "--yes", *more).stdout)


def lines_of(stdout):
    out = stdout.splitlines()
    start = min(out.index(x) for x in ("keys:", "authorities:") if x in out)
    end = next(i for i, x in enumerate(out) if x.startswith("then check"))
    return [x for x in out[start:end] if x.strip() and "#" not in x]


@contextlib.contextmanager
def start(build):
    """A CA whose root's passphrase is in a file."""
    with tempfile.NamedTemporaryFile("w", suffix=".pass") as f:
        f.write("correct horse battery staple\n")
        f.flush()
        with ca(build, edit=lambda t: urls(always(t)),
                init=("--root-passphrase-file", f.name)) as c:
            shutil.copy(f.name, c.path("root.pass"))
            yield c


def cacerts(c, label="line1"):
    """The certificates that EST hands out, as files in order."""
    answer = c.curl(c.url("cacerts", label=label))
    with open(c.cert_of(answer, "cacerts")) as f:
        blocks = re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END "
                            r"CERTIFICATE-----\n", f.read(), re.S)
    out = []
    for i, block in enumerate(blocks):
        path = c.path(f"cacert{i}.pem")
        with open(path, "w") as f:
            f.write(block)
        out.append(path)
    return out


def fact(pem, *what):
    return run("openssl", "x509", "-in", pem, "-noout", *what).stdout.strip()


def fingerprint(pem):
    return fact(pem, "-fingerprint", "-sha256")


def key_ids(pem):
    """subjectKeyIdentifier, authorityKeyIdentifier"""
    text = fact(pem, "-ext", "subjectKeyIdentifier,authorityKeyIdentifier")
    ids = re.findall(r"((?:[0-9A-F]{2}:){19}[0-9A-F]{2})", text)
    return ids[0], ids[1]


def follows(anchor, untrusted, pem):
    """Does one that trusts that certificate alone follow up to it?"""
    argv = ["openssl", "verify", "-x509_strict", "-partial_chain",
            "-no-CApath", "-no-CAstore", "-CAfile", anchor]
    for u in untrusted:
        argv += ["-untrusted", u]
    return run(*argv, pem, check=False).returncode == 0


def status_of(c, issuer, pem):
    out = run("openssl", "ocsp", "-issuer", issuer, "-cert", pem, "-CAfile",
              c.root, "-url", f"http://127.0.0.1:{c.http}/ocsp").stdout
    return re.search(re.escape(pem) + r": (\w+)", out).group(1)


def crl_of(c, name):
    der, pem = c.path(name + ".crl"), c.path(name + ".crl.pem")
    run("curl", "-sSf", "-o", der,
        f"http://127.0.0.1:{c.http}/crl/{name}.crl")
    run("openssl", "crl", "-inform", "DER", "-in", der, "-out", pem)
    return pem


def renew(c, name, key, pem):
    new_key, b64 = c.csr(name + "-new", f"/CN={name}")
    a = c.enroll(b64, "--cert", pem, "--key", key, op="simplereenroll")
    assert a.status == 200, (a.status, a.text())
    return new_key, c.cert_of(a, name + "-new")


def issuer_name(c, pem):
    return c.json("cert", "show", serial(pem))["authority"]


def issue_from(text, listener=True):
    """The labels name the new generation; so does EST's own listener, which
    devices verify."""
    return "".join(
        x.replace(f"authority: {OLD},", f"authority: {NEW},")
        if listener or "label:" in x else x for x in text.splitlines(True))


def generations(c):
    """Name: state, devices, valid certificates, state of its CRL."""
    return {a["name"]: (a["state"], a["devices"], a["certificates"],
                        a.get("crl_state"))
            for a in c.json("authority", "list")["authorities"]}


def step(c):
    p = c.json("authority", "plan", OLD)
    assert c.json("authority", "plan", NEW) == p
    assert "[next]" in c.mica("authority", "plan", NEW).stdout
    return p["next"], p["recent"], p["devices"]


def test_from_one_generation_to_the_next(build):
    need("pki")
    with start(build) as c:
        old = os.path.join(c.home, "ca", "issuing.pem")
        new = os.path.join(c.home, "ca", NEW + ".pem")
        cross = os.path.join(c.home, "ca", NEW)
        before = c.device("before")
        assert [fingerprint(x) for x in cacerts(c)] == \
            [fingerprint(old), fingerprint(c.root)]
        late_token = c.token("late")
        p = c.mica("authority", "plan", OLD, check=False)
        assert p.returncode == 1 and "roll factory" in p.stderr, p.stderr
        assert generations(c)[OLD][:3] == ("issuing", 1, 1)
        # No CRL was made since, and its last end is known all the same.
        ends = run("openssl", "x509", "-in", before[1], "-noout", "-enddate",
                   "-dateopt", "iso_8601").stdout[len("notAfter="):].strip()
        rows = c.json("authority", "list")["authorities"]
        assert rows[0]["last_end"] >= ends.replace(" ", "T"), (rows, ends)

        # The ceremony: same name, another key, and both say so.
        lines = roll(c)
        assert roll(c) == lines
        nwo, own = cross + ".new-with-old.pem", cross + ".old-with-new.pem"
        names = {fact(x, "-subject") for x in (old, new, nwo, own)}
        assert len(names) == 1, names
        assert key_ids(new)[0] != key_ids(old)[0]
        assert key_ids(nwo) == (key_ids(new)[0], key_ids(old)[0])
        assert key_ids(own) == (key_ids(old)[0], key_ids(new)[0])
        run("openssl", "verify", "-x509_strict", "-CAfile", c.root, new)
        for x in (new, nwo, own):
            run("pki", "--print", "--type", "x509", "--in", x)

        # Handed out, but the old one issues, also where none is named.
        enter(c, lines)
        given = cacerts(c)
        assert [fingerprint(x) for x in given] == [
            fingerprint(x) for x in (old, c.root, new, nwo, own)]
        assert step(c) == ("issue", 0, 1)
        during = c.device("during")
        assert generations(c)[OLD][:3] == ("issuing", 2, 2)
        assert generations(c)[NEW][:3] == ("staged", 0, 0)
        assert step(c) == ("issue", 1, 2)
        assert issuer_name(c, during[1]) == OLD
        assert status_of(c, old, during[1]) == "good"

        # The new one issues; what was handed out before is good still, and
        # so is an answer that got lost.
        lost_token = c.token("lost")
        _, lost_b64 = c.csr("lost", "/CN=lost")
        a = c.enroll(lost_b64, "-u", f"lost:{lost_token}")
        lost = serial(c.cert_of(a, "lost"))
        edit(c, issue_from)
        after = c.device("after")
        assert issuer_name(c, after[1]) == NEW
        assert fingerprint(cacerts(c)[0]) == fingerprint(new)
        a = c.enroll(lost_b64, "-u", f"lost:{lost_token}")
        assert serial(c.cert_of(a, "lost")) == lost
        c.mica("revoke", "--device", "lost")
        _, b64 = c.csr("late", "/CN=late")
        a = c.enroll(b64, "-u", f"late:{late_token}")
        assert a.status == 200, (a.status, a.text())
        late = c.cert_of(a, "late")
        assert issuer_name(c, late) == NEW
        renewed = renew(c, "before", *before)
        assert issuer_name(c, renewed[1]) == NEW
        assert step(c) == ("retire", 4, 4)
        assert generations(c)[OLD][:3] == ("issuing", 1, 2)
        assert generations(c)[NEW][:3] == ("issuing", 3, 3)

        # Who trusts one generation alone follows both, by the cross
        # certificates; without them nobody does.
        for anchor, pem, by in ((old, after[1], nwo), (new, before[1], own)):
            assert follows(anchor, [by], pem), (anchor, pem)
            assert not follows(anchor, [], pem), (anchor, pem)
        for pem in (before[1], during[1], after[1], renewed[1]):
            assert follows(c.root, [old, new], pem)
            run("pki", "--verify", "--in", pem, "--cacert", old, "--cacert",
                new, "--cacert", c.root)

        # Retired: status goes on, of each by its own key.
        edit(c, lambda t: t.replace(f"  {OLD}: {{ ",
                                    f"  {OLD}: {{ retired: yes, "))
        c.mica("revoke", "--serial", serial(during[1]))
        c.mica("crl", "generate")
        assert status_of(c, old, before[1]) == "good"
        assert status_of(c, old, during[1]) == "revoked"
        assert status_of(c, new, after[1]) == "good"
        olds, news = crl_of(c, OLD), crl_of(c, NEW)
        run("openssl", "crl", "-in", olds, "-CAfile", old, "-noout")
        run("openssl", "crl", "-in", news, "-CAfile", new, "-noout")
        p = run("openssl", "crl", "-in", olds, "-CAfile", new, "-noout",
                check=False)
        assert "verify OK" not in p.stdout + p.stderr, p.stderr
        text = run("openssl", "crl", "-in", olds, "-noout", "-text").stdout
        assert serial(during[1]).upper() in text, text
        assert serial(during[1]).upper() not in run(
            "openssl", "crl", "-in", news, "-noout", "-text").stdout
        for pem, good in ((before[1], True), (during[1], False),
                          (after[1], True)):
            p = run("openssl", "verify", "-crl_check", "-CAfile", c.root,
                    "-untrusted", old, "-untrusted", new, "-CRLfile", olds,
                    "-CRLfile", news, pem, check=False)
            assert (p.returncode == 0) == good, (pem, p.stdout, p.stderr)
        assert generations(c) == {OLD: ("retired", 0, 1, "ok"),
                                  NEW: ("issuing", 3, 3, "ok")}
        assert step(c)[0] == "remove"
        old_end = c.json("authority", "plan", OLD)["old"]["last_end"]
        assert old_end in c.mica("authority", "plan", OLD).stdout

        # A device of the old generation still comes over.
        again = renew(c, "before", *before)
        assert issuer_name(c, again[1]) == NEW


def test_a_new_root_is_followed_from_the_old_one_and_the_other_way_round(
        build):
    """The whole hierarchy rolls: devices that trust one root alone follow what
    both generations issued, by the cross certificates."""
    with start(build) as c:
        old = os.path.join(c.home, "ca", "issuing.pem")
        new = os.path.join(c.home, "ca", NEW + ".pem")
        cross = os.path.join(c.home, "ca", NEW)
        nwo, own = cross + ".new-with-old.pem", cross + ".old-with-new.pem"
        before = c.device("before")
        vault = c.path("vault")
        c.mica("authority", "root", vault, "--name", "Example 2",
               "--root-passphrase-file", c.path("root.pass"))
        root2 = os.path.join(c.home, "ca", "root-2.pem")
        shutil.copy(os.path.join(vault, "root.pem"), root2)
        enter(c, roll(c, "--key", os.path.join(vault, "root.key"), "--file",
                      root2))
        # The listener's own certificate stays one that all can verify.
        edit(c, lambda t: issue_from(t, listener=False))
        after = c.device("after")
        assert follows(root2, [new], after[1])
        assert not follows(c.root, [old, new], after[1])
        assert follows(c.root, [nwo, old], after[1])
        assert not follows(root2, [old, new], before[1])
        assert follows(root2, [own, new], before[1])
        prints = [fingerprint(x) for x in cacerts(c)]
        assert prints == [fingerprint(x) for x in
                          (new, root2, old, c.root, nwo, own)], prints
        # Who takes over what it is given follows both.
        given, anchors = cacerts(c), c.path("anchors.pem")
        with open(anchors, "w") as f:
            for root in (given[1], given[3]):
                with open(root) as one:
                    f.write(one.read())
        for pem in (before[1], after[1]):
            run("openssl", "verify", "-x509_strict", "-CAfile", anchors,
                *(x for g in given for x in ("-untrusted", g)), pem)


def test_where_the_roots_key_lies_elsewhere_roll_is_taken_up_again(build):
    with start(build) as c:
        away = c.path("away")
        shutil.move(os.path.join(c.home, "root"), away)
        out = c.mica("authority", "roll", OLD).stdout
        request = os.path.join(c.home, "ca", NEW + ".csr")
        assert "root's key is not here" in out and request in out, out
        run("openssl", "req", "-in", request, "-noout", "-verify")
        new = os.path.join(c.home, "ca", NEW + ".pem")
        assert not os.path.exists(new)
        c.mica("authority", "sign", request, "--out", new, "--key",
               os.path.join(away, "root.key"), "--file", c.root,
               "--root-passphrase-file", c.path("root.pass"), "--subject",
               "O=Example", "--subject", "CN=Example Issuing CA", "--yes")
        enter(c, lines_of(c.mica("authority", "roll", OLD).stdout))
        assert generations(c)[NEW][0] == "staged"
        # Only what the generations say of each other may stand in cross.
        shutil.copy(c.root, os.path.join(c.home, "ca", NEW + ".cross.pem"))
        p = run(c.bin("micad"), "--check-config", c.conf, check=False)
        assert p.returncode == 0, p.stderr
        other = c.path("other")
        c.mica("authority", "root", other, "--root-passphrase-file",
               c.path("root.pass"))
        shutil.copy(os.path.join(other, "root.pem"),
                    os.path.join(c.home, "ca", NEW + ".cross.pem"))
        p = run(c.bin("micad"), "--check-config", c.conf, check=False)
        assert p.returncode != 0 and "cross, certificate 1" in p.stderr, \
            p.stderr


def test_a_revoked_generation_is_not_handed_out(build):
    """An emergency: the key is lost to somebody, the next generation is
    there."""
    with start(build) as c:
        old = os.path.join(c.home, "ca", "issuing.pem")
        new = os.path.join(c.home, "ca", NEW + ".pem")
        before = c.device("before")
        enter(c, roll(c))
        c.mica("authority", "revoke", OLD, "--reason", "keyCompromise")
        assert generations(c)[OLD][0] == "revoked"
        assert "is revoked" in c.mica("authority", "plan", OLD).stdout
        _, b64 = c.csr("m1", "/CN=m1")
        a = c.enroll(b64, "-u", f"m1:{c.token('m1')}")
        assert a.status == 400, (a.status, a.text())
        edit(c, lambda t: issue_from(t).replace(
            f"  {OLD}: {{ ", f"  {OLD}: {{ retired: yes, "),
            restart=True)
        assert [fingerprint(x) for x in cacerts(c)] == \
            [fingerprint(new), fingerprint(c.root)]
        assert issuer_name(c, c.device("m2")[1]) == NEW
        # Its status goes on.
        assert status_of(c, old, before[1]) == "good"


def test_the_next_generations_key_is_made_in_the_token(build):
    with tempfile.NamedTemporaryFile("w", suffix=".pass") as f:
        f.write("correct horse battery staple\n")
        f.flush()
        with hsm_ca(build, edit=urls,
                    init=("--root-passphrase-file", f.name)) as c:
            shutil.copy(f.name, c.path("root.pass"))
            p = c.mica("authority", "roll", OLD, check=False)
            assert p.returncode == 1 and "mica key create factory-2" in \
                p.stderr, p.stderr
            with open(c.conf) as conf:
                text = conf.read()
            with open(c.conf, "w") as conf:
                conf.write(text.replace("\nkeys:\n", f"""
keys:
  {NEW}:
    uri: "pkcs11:token=mica;object={NEW}"
    module: {c.token_there.module}
    pin: hsm.pin
""", 1))
            c.mica("key", "create", NEW, "--transcript",
                   c.path(NEW + ".key.transcript"))
            c.token_there.give()
            enter(c, roll(c))
            new = os.path.join(c.home, "ca", NEW + ".pem")
            edit(c, issue_from)
            _, pem = c.device("m1")
            assert issuer_name(c, pem) == NEW
            assert follows(os.path.join(c.home, "ca", "issuing.pem"),
                           [os.path.join(c.home, "ca",
                                         NEW + ".new-with-old.pem")], pem)
            assert status_of(c, new, pem) == "good"
