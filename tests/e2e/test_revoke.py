"""Certificates taken back: by serial number, device, key, or by when they were
issued; and what EST makes of them, at once, on every worker."""

import collections
import concurrent.futures
import datetime
import json
import os
import re
import subprocess

from harness import ca, run, serial, wait_for


def renew(c, name, key, pem):
    """Ask for a new certificate by the one there is."""
    _, b64 = c.csr(name + "-renew", f"/CN={name}")
    return c.enroll(b64, "--cert", pem, "--key", key, op="simplereenroll")


def state(c, pem):
    d = c.json("cert", "show", serial(pem))
    return d["state"], d.get("reason")


def always(text):
    """Renewal from the first day, so that only the status can refuse it."""
    return re.sub(r"renew: \{[^}]*\}", "renew: { from: 0%, grace: 90d, "
                  "new_key: allowed }", text)


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def rfc3339(t):
    return t.strftime("%Y-%m-%dT%H:%M:%SZ")


# --- one
def test_revoked_and_held_certificates_open_no_door(build):
    with ca(build) as c:
        key, pem = c.device("m1")
        dry = c.json("revoke", "--serial", serial(pem), "--dry-run")
        assert (dry["selected"], dry["changed"]) == (1, 1), dry
        assert state(c, pem) == ("issued", None)
        assert "revoked" not in renew(c, "m1", key, pem).text()

        c.mica("hold", "--serial", serial(pem))
        assert state(c, pem) == ("held", "certificateHold")
        a = renew(c, "m1", key, pem)
        assert a.status == 400 and "on hold" in a.text(), a.text()
        c.mica("release", "--file", pem)
        assert state(c, pem) == ("issued", None)
        assert "on hold" not in renew(c, "m1", key, pem).text()

        out = c.mica("revoke", "--file", pem, "--reason", "superseded",
                     "--invalid-since", "2026-01-02").stdout
        assert serial(pem) in out and "superseded" in out, out
        assert state(c, pem) == ("revoked", "superseded")
        a = renew(c, "m1", key, pem)
        assert a.status == 400 and "revoked" in a.text(), a.text()

        # Twice is harmless, a compromise is said later, and nothing is
        # taken back.
        again = c.json("revoke", "--serial", serial(pem))
        assert again["changed"] == 0, again
        c.mica("revoke", "--serial", serial(pem), "--reason",
               "keyCompromise")
        d = c.json("cert", "show", serial(pem))
        assert (d["reason"], d["invalid_since"]) == \
            ("keyCompromise", "2026-01-02T00:00:00Z"), d
        for verb in ("hold", "release"):
            p = c.mica(verb, "--serial", serial(pem), check=False)
            assert p.returncode == 1 and p.stderr, (verb, p.stdout)
        # Its key is remembered, whoever brings it.
        _, b64 = c.csr("m2", "/CN=m2", key=key)
        a = c.enroll(b64, "-u", f"m2:{c.token('m2')}")
        assert a.status == 400, (a.status, a.text())


def test_a_revocation_holds_on_every_worker_at_once(build):
    """After the command has ended no worker renews, whichever is asked; the
    log says who answered."""
    with ca(build) as c:
        workers = len(c.pids("worker"))
        asked = collections.Counter()
        for n in range(20):
            name = f"m{n}"
            key, pem = c.device(name)
            _, b64 = c.csr(name + "-renew", f"/CN={name}")
            c.mica("revoke", "--serial", serial(pem))

            def ask(i, b64=b64, key=key, pem=pem):
                return run("curl", "-sS", "--max-time", "30", "--cacert",
                           c.root, "--cert", pem, "--key", key,
                           "--data-binary", f"@{b64}", "-H",
                           "Content-Type: application/pkcs10",
                           c.url("simplereenroll")).stdout
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                for text in pool.map(ask, range(8)):
                    assert "the certificate is revoked" in text, text
        for line in c.log().splitlines():
            found = re.search(r" (worker-\d+) est\.refused .*revoked", line)
            if found:
                asked[found.group(1)] += 1
        assert len(asked) == workers and sum(asked.values()) == 160, asked
        assert min(asked.values()) >= 0.25 * 160 / (workers / 2), asked


def test_revocation_is_durable_when_it_is_acknowledged(build):
    with ca(build) as c:
        pems = [c.device(f"m{n}")[1] for n in range(5)]
        for pem in pems:
            c.mica("revoke", "--serial", serial(pem))
            keeper = c.pids("keeper")[0]
            os.kill(keeper, 9)
            wait_for("a new keeper", lambda gone=keeper: c.mica(
                "status", check=False).returncode == 0 and
                c.pids("keeper") and c.pids("keeper")[0] != gone)
            assert state(c, pem)[0] == "revoked"
        c.stop()
        c.start()
        for pem in pems:
            assert state(c, pem)[0] == "revoked"
        report = c.json("store", "check")
        assert report["faults"] == 0 and report["revoked"] == 5, report


# --- a device
def test_device_is_taken_out_whole(build):
    with ca(build, edit=always) as c:
        token = c.token("m1")
        key, pem = c.device("m1")
        second = c.cert_of(renew(c, "m1", key, pem), "m1-second")
        _, other = c.device("m2")
        dry = c.json("revoke", "--device", "m1", "--dry-run")
        assert dry["changed"] == 2, dry
        out = c.mica("revoke", "--device", "m1", "--reason",
                     "privilegeWithdrawn").stdout
        assert "revoked 2 of 2" in out and "mica device resume" in out, out
        for p in (pem, second):
            assert state(c, p) == ("revoked", "privilegeWithdrawn")
        assert state(c, other) == ("issued", None)
        # Nor does it come in by an unspent token, until an operator says so.
        _, b64 = c.csr("m1-new", "/CN=m1")
        a = c.enroll(b64, "-u", f"m1:{token}")
        assert a.status in (400, 401), (a.status, a.text())
        c.mica("device", "resume", "m1")
        new = c.cert_of(c.enroll(b64, "-u", f"m1:{token}"), "m1-new")
        assert state(c, new) == ("issued", None)
        assert state(c, pem)[0] == "revoked"


def test_nothing_slips_through_while_devices_are_revoked(build):
    """Devices enrol again and again while they are taken out: whatever came
    out of it, no certificate of theirs is good at the end."""
    with ca(build) as c:
        names = [f"m{n}" for n in range(6)]
        jobs = []
        for name in names:
            for i in range(4):
                _, b64 = c.csr(f"{name}-{i}", f"/CN={name}")
                jobs.append((name, b64, c.token(name)))

        def enrol(job):
            name, b64, token = job
            return subprocess.run(
                ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}",
                 "--cacert", c.root, "-u", f"{name}:{token}", "-H",
                 "Content-Type: application/pkcs10", "--data-binary",
                 f"@{b64}", c.url("simpleenroll")], capture_output=True,
                text=True, check=False).stdout
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = [pool.submit(enrol, job) for job in jobs]
            for name in names:
                c.mica("revoke", "--device", name)
            answers = [a.result() for a in answers]
        assert set(answers) <= {"200", "400", "401", "503"}, answers
        for name in names:
            certs = c.json("cert", "list", "--device", name)["certificates"]
            assert all(x["state"] == "revoked" for x in certs), certs


# --- a key
def test_key_is_found_in_any_file_and_blocked(build):
    with ca(build) as c:
        forms = ("cert.pem", "cert.der", "csr.pem", "csr.der", "pub.pem",
                 "pub.der")
        # Twice, for keys that end in a zero bit and such that do not.
        for n, form in enumerate(2 * forms):
            name = f"m{n}"
            key, pem = c.device(name)
            path = c.path(form)
            what, encoding = form.split(".")
            argv = {
                "cert": ["x509", "-in", pem],
                "csr": ["req", "-inform", "DER", "-in",
                        c.path(name + ".csr")],
                "pub": ["pkey", "-in", key, "-pubout"],
            }[what]
            run("openssl", *argv, "-outform", encoding.upper(), "-out", path)
            dry = c.json("revoke", "--key", path, "--dry-run")
            assert dry["changed"] == 1, (form, dry)
            out = c.mica("revoke", "--key", path, "--reason",
                         "keyCompromise").stdout
            assert "revoked 1 of 1" in out, (form, out)
            assert state(c, pem) == ("revoked", "keyCompromise"), form
            _, b64 = c.csr(name + "-x", f"/CN={name}-x", key=key)
            a = c.enroll(b64, "-u", f"{name}-x:{c.token(name + '-x')}")
            assert a.status == 400, (form, a.status, a.text())
        p = c.mica("revoke", "--key", key, check=False)
        assert p.returncode == 1 and "private" in p.stderr, p.stderr
        for junk in (b"", b"junk", b"-----BEGIN PUBLIC KEY-----\nAAAA\n"):
            with open(c.path("junk"), "wb") as f:
                f.write(junk)
            p = c.mica("revoke", "--key", c.path("junk"), check=False)
            assert p.returncode == 1 and p.stderr, p.stderr


def test_key_index_serves_the_same(build):
    with ca(build) as c:
        _, old = c.device("old")
        c.stop()
        with open(c.conf) as f:
            text = f.read()
        with open(c.conf, "w") as f:
            f.write(re.sub(r"(lmdb: \{[^}]*)\}", r"\1, index_keys: yes }",
                           text))
        c.start()
        _, new = c.device("new")
        for pem in (old, new):
            assert c.json("revoke", "--key", pem)["changed"] == 1
            assert state(c, pem)[0] == "revoked"


# --- a lot
def test_lot_is_revoked_by_when_it_was_issued(build):
    with ca(build) as c:
        _, early = c.device("early")
        issued = c.json("cert", "show", serial(early))["issued"]
        wait_for("the next second",
                 lambda: rfc3339(now()) > issued)
        begun = rfc3339(now())
        lot = [c.device(f"m{n}")[1] for n in range(3)]
        argv = ("--authority", "factory", "--from", begun)
        dry = c.json("revoke", *argv, "--dry-run")
        assert dry["changed"] == 3, dry
        c.mica("hold", *argv)
        assert {state(c, p)[0] for p in lot} == {"held"}
        c.mica("release", *argv)
        assert {state(c, p)[0] for p in lot} == {"issued"}
        out = c.mica("revoke", *argv, "--reason", "cACompromise").stdout
        assert "revoked 3 of 3" in out, out
        assert {state(c, p) for p in lot} == {("revoked", "cACompromise")}
        assert state(c, early) == ("issued", None)
        assert c.json("revoke", *argv)["changed"] == 0
        none = c.json("revoke", "--from", "2001-01-01", "--to", "2001-02-01")
        assert none["selected"] == 0, none


# --- the command
def test_revoke_refuses_what_is_not_clear(build):
    with ca(build) as c:
        _, pem = c.device("m1")
        s = serial(pem)
        for wrong in ((), ("--authority", "factory"),
                      ("--serial", s, "--device", "m1"),
                      ("--to", "2026-01-01"), ("--serial",),
                      ("--device", "m1", "--authority", "factory"),
                      ("--serial", s, "--to", "2026-01-01"), (s,)):
            p = c.mica("revoke", *wrong, check=False)
            assert p.returncode == 2, (wrong, p.returncode, p.stderr)
        for wrong in (("--serial", "00"), ("--serial", "xyz"),
                      ("--device", "nobody"), ("--key", c.path("none")),
                      ("--file", c.path("none")),
                      ("--serial", s, "--reason", "bored"),
                      ("--serial", s, "--reason", "certificateHold"),
                      ("--serial", s, "--authority", "none"),
                      ("--serial", s, "--invalid-since", "2999-01-01"),
                      ("--from", "2999-01-01"), ("--from", "noon")):
            p = c.mica("revoke", *wrong, check=False)
            assert p.returncode == 1 and p.stderr and not p.stdout, \
                (wrong, p.stdout, p.stderr)
            p = c.mica("revoke", *wrong, "--json", check=False)
            assert json.loads(p.stdout)["error"]["text"], wrong
        for wrong in (("--device", "m1"), ("--reason", "superseded")):
            assert c.mica("hold", *wrong, check=False).returncode == 2
        assert state(c, pem) == ("issued", None)


# --- by renewal
def test_what_was_renewed_is_superseded_after_its_time(build):
    def edit(text):
        return re.sub(r"renew: \{[^}]*\}", "renew: { from: 0%, grace: 90d, "
                      "new_key: allowed, supersede_after: 4s }", text)
    with ca(build, edit=edit) as c:
        key, pem = c.device("m1")
        kept = c.device("m2")[1]
        new = c.cert_of(renew(c, "m1", key, pem), "m1-new")
        # The answer got lost: the old one is good still.
        assert state(c, pem) == ("issued", None)
        assert renew(c, "m1", key, pem).status == 200
        # That it is due is on record, whoever runs then.
        c.stop()
        assert c.json("store", "check")["faults"] == 0
        c.start()
        wait_for("the old one's end",
                 lambda: state(c, pem) == ("revoked", "superseded"), 15)
        assert state(c, new) == ("issued", None)
        assert state(c, kept) == ("issued", None)
        assert renew(c, "m1", key, pem).status == 400
        assert c.json("store", "check")["faults"] == 0
