"""mica, the admin command, against a running daemon and without one."""

import json
import os
import re
import stat

from harness import Ca, ca, run, serial, subject, wait_for


def mode(*path):
    return stat.S_IMODE(os.stat(os.path.join(*path)).st_mode)


def tree(path):
    """Every file with its content, to see that nothing changed."""
    out = {}
    for folder, _, files in os.walk(path):
        for name in files:
            full = os.path.join(folder, name)
            with open(full, "rb") as f:
                out[full] = f.read()
        out[folder] = None
    return out


def init(c, *argv, check=True):
    return run(c.bin("mica"), "init", *argv, check=check)


# --- init
def test_init_makes_what_a_ca_needs(build):
    with Ca(build) as c:
        for part, want in (("mica.yaml", 0o644), ("ca", 0o755),
                           ("ca/root.pem", 0o644), ("ca/issuing.pem", 0o644),
                           ("keys", 0o700), ("keys/issuing.key", 0o600),
                           ("root", 0o700), ("root/root.key", 0o600)):
            assert mode(c.home, part) == want, (part, oct(mode(c.home, part)))
        assert sorted(os.listdir(c.home)) == ["ca", "keys", "mica.yaml",
                                              "root"]
        run("openssl", "verify", "-x509_strict", "-CAfile", c.root,
            os.path.join(c.home, "ca", "issuing.pem"))
        run(c.bin("micad"), "--check-config", c.conf)
        with open(os.path.join(c.home, "root", "root.key")) as f:
            assert "ENCRYPTED" in f.readline()
        with open(os.path.join(c.home, "keys", "issuing.key")) as f:
            assert "ENCRYPTED" not in f.readline()


def test_init_shows_the_passphrase_that_opens_the_root_key(build):
    with Ca(build) as c:
        out = init(c, c.path("two"), "--name", "Müller & Söhne").stdout
        words = re.findall(r"^    ([0-9a-z]{26})$", out, re.M)
        assert len(words) == 1, out
        key = os.path.join(c.path("two"), "root", "root.key")
        run("openssl", "pkey", "-in", key, "-passin", f"pass:{words[0]}",
            "-noout")
        wrong = run("openssl", "pkey", "-in", key, "-passin", "pass:wrong",
                    "-noout", check=False)
        assert wrong.returncode != 0
        root = os.path.join(c.path("two"), "ca", "root.pem")
        assert subject(root).startswith("CN=M"), subject(root)
        run(c.bin("micad"), "--check-config",
            os.path.join(c.path("two"), "mica.yaml"))


def test_init_takes_a_passphrase_and_does_not_show_it(build):
    with Ca(build) as c:
        secret = c.path("secret")
        with open(secret, "w") as f:
            f.write("correct horse battery\n")
        out = init(c, c.path("two"), "--root-passphrase-file", secret,
                   "--json").stdout
        assert "root_passphrase" not in json.loads(out) and \
            "horse" not in out, out
        run("openssl", "pkey", "-noout", "-passin", f"file:{secret}", "-in",
            os.path.join(c.path("two"), "root", "root.key"))


def test_init_refuses_to_overwrite_and_touches_nothing(build):
    with Ca(build) as c:
        before = tree(c.home)
        p = init(c, c.home, check=False)
        assert p.returncode == 1 and "exists" in p.stderr, p.stderr
        assert tree(c.home) == before
        # One part of it is enough.
        part = c.path("part")
        os.makedirs(os.path.join(part, "keys"))
        before = tree(part)
        assert init(c, part, check=False).returncode == 1
        assert tree(part) == before


def test_init_joins_what_stands_in_the_folder(build):
    with Ca(build) as c:
        os.mkdir(c.path("two"))
        with open(os.path.join(c.path("two"), "notes"), "w") as f:
            f.write("kept\n")
        init(c, c.path("two"))
        assert "notes" in os.listdir(c.path("two"))


def test_init_that_fails_leaves_nothing(build):
    with Ca(build) as c:
        for argv in (("--est", "localhost:8443"), ("--http", "nowhere"),
                     ("--est-name", "no host"), ("--name", 'a"b'),
                     ("--name", ""), ("--name", "x" * 49)):
            p = init(c, c.path("two"), *argv, check=False)
            assert p.returncode == 2, (argv, p.returncode, p.stderr)
            assert not os.path.exists(c.path("two")), argv
        p = init(c, c.path("two"), "--root-passphrase-file", c.path("none"),
                 check=False)
        assert p.returncode == 1
        assert not os.path.exists(c.path("two"))
        assert init(c, c.path("no/such/folder"), check=False).returncode == 1
        # A folder that was there stays, and empty.
        os.mkdir(c.path("ro"), 0o500)
        if os.geteuid() != 0:
            assert init(c, c.path("ro"), check=False).returncode == 1
            assert os.listdir(c.path("ro")) == []


# --- exit statuses
def test_exit_statuses(build):
    with ca(build) as c:
        def status(*argv):
            return c.mica(*argv, check=False).returncode
        assert status("status") == 0
        assert status("device", "show", "nobody") == 1
        assert status("device", "add", "a/b") == 1
        for wrong in (("frob",), ("device",), ("device", "frob"),
                      ("device", "add"), ("device", "add", "a", "b"),
                      ("device", "list", "--frob"), ("token", "create"),
                      ("token", "create", "--device"),
                      ("token", "create", "--device", "a", "--device", "b"),
                      ("token", "create", "--device", "a", "--life", "soon"),
                      ("cert", "issue"), ("cert", "show"),
                      ("device", "list", "--max", "0")):
            assert status(*wrong) == 2, wrong
        assert status("--help") == 0
        assert status("device", "add", "--help") == 0
        c.stop()
        p = c.mica("status", check=False)
        assert p.returncode == 3, p.returncode
        assert f"micad -c {c.conf}" in p.stderr, p.stderr
        p = c.mica("status", "--json", check=False)
        assert p.returncode == 3
        assert json.loads(p.stdout)["error"]["code"] == "closed"


def test_options_stand_before_or_after_the_command(build):
    with ca(build) as c:
        bin_mica, sock = c.bin("mica"), os.path.join(c.home, "admin.sock")
        env = dict(os.environ, MICA_CONFIG=c.conf)
        for argv in (("--config", c.conf, "--json", "status"),
                     ("status", "--json", "--config", c.conf),
                     ("status", "--socket", sock, "--json"),
                     ("--socket", sock, "--json", "status")):
            names = [p["name"] for p in
                     json.loads(run(bin_mica, *argv).stdout)["processes"]]
            assert "signer" in names and "keeper" in names, names
        assert "signer" in run(bin_mica, "status", env=env).stdout


def test_a_broken_configuration_does_not_lock_the_operator_out(build):
    with ca(build) as c:
        with open(c.conf, "a") as f:
            f.write("unknown: [1, 2]\n")
        assert "keeper" in c.mica("status").stdout


# --- devices and tokens
def test_device_is_added_listed_suspended(build):
    with ca(build) as c:
        c.mica("device", "add", "meter 1", "--note", "hall 3")
        p = c.mica("device", "add", "meter 1", check=False)
        assert p.returncode == 1 and "exists" in p.stderr, p.stderr
        p = c.mica("device", "add", "meter 1", "--json", check=False)
        assert json.loads(p.stdout)["error"]["code"] == "exists"
        d = c.json("device", "show", "meter 1")
        assert (d["state"], d["note"]) == ("active", "hall 3"), d
        assert c.json("device", "suspend", "meter 1")["state"] == "suspended"
        assert c.json("device", "suspend", "meter 1")["changed"] == 0
        p = c.mica("token", "create", "--device", "meter 1", check=False)
        assert p.returncode == 1 and "suspended" in p.stderr, p.stderr
        c.mica("device", "resume", "meter 1")
        assert c.json("device", "show", "meter 1")["state"] == "active"
        assert "meter 1" in c.mica("device", "list").stdout


def test_lists_go_on_where_they_stopped(build):
    with ca(build) as c:
        ids = [f"d{i}" for i in range(7)]
        for i in ids:
            c.mica("device", "add", i)
        assert [d["id"] for d in c.json("device", "list")["devices"]] == ids
        seen, more = [], []
        while True:
            page = c.json("device", "list", "--max", "3", *more)
            seen += [d["id"] for d in page["devices"]]
            if "cursor" not in page:
                break
            more = ["--cursor", page["cursor"]]
        assert seen == ids, seen
        p = c.mica("device", "list", "--max", "3")
        assert "--cursor" in p.stderr and "d2" in p.stdout, p.stderr


def test_token_stands_alone_on_standard_output(build):
    with ca(build) as c:
        out = c.mica("token", "create", "--device", "m1").stdout
        assert re.fullmatch(r"[0-9a-z]{26}\n", out), out
        key, b64 = c.csr("m1", "/CN=m1")
        pem = c.cert_of(c.enroll(b64, "-u", f"m1:{out.strip()}"), "m1")
        c.verify(pem)
        told = c.json("token", "create", "--device", "m2", "--profile",
                      "sensor", "--life", "30min")
        assert set(told) == {"token", "device", "authority", "profile",
                             "expires"}, told
        p = c.mica("token", "create", "--device", "m2", "--profile",
                   "tls-server", check=False)
        assert p.returncode == 1, p.stdout


# --- certificates
def issue_argv(c, name="srv", dns="srv.example.com", **kw):
    _, b64 = c.csr(name, f"/CN={dns}", **kw)
    return ("cert", "issue", "--csr", b64, "--profile", "tls-server",
            "--dns", dns)


def test_certificate_for_a_server(build):
    with ca(build) as c:
        argv = issue_argv(c)
        out = c.path("srv.pem")
        c.mica(*argv, "--dns", "www.example.com", "--ip", "192.0.2.7",
               "--ip", "2001:db8::7", "--out", out)
        assert mode(out) == 0o644
        with open(out) as f:
            assert f.read().count("BEGIN CERTIFICATE") == 2
        c.verify(out, "sslserver")
        text = run("openssl", "x509", "-in", out, "-noout", "-ext",
                   "subjectAltName").stdout
        for name in ("DNS:srv.example.com", "DNS:www.example.com",
                     "IP Address:192.0.2.7"):
            assert name in text, text
        # PEM, DER and base64 of a request are all the same to it.
        for form in ("PEM", "DER"):
            path = c.path("srv." + form)
            run("openssl", "req", "-in", c.path("srv.csr"), "-inform", "DER",
                "-outform", form, "-out", path)
            p = c.mica("cert", "issue", "--csr", path, "--profile",
                       "tls-server", "--dns", "srv.example.com")
            assert p.stdout.count("BEGIN CERTIFICATE") == 2


def test_certificate_refusals(build):
    with ca(build) as c:
        argv = issue_argv(c)
        bad = c.path("bad.csr")
        with open(c.path("srv.csr"), "rb") as f:
            der = bytearray(f.read())
        der[-1] ^= 1
        with open(bad, "wb") as f:
            f.write(der)
        base = ("cert", "issue", "--profile", "tls-server")
        for wrong in ((*base, "--csr", bad, "--dns", "srv.example.com"),
                      (*base, "--csr", argv[3]),
                      (*base, "--csr", argv[3], "--dns", "other.example"),
                      (*base, "--csr", argv[3], "--dns", "srv.example.com",
                       "--email", "a@b.example"),
                      (*base, "--csr", c.path("none"), "--dns", "a.example"),
                      (*argv, "--authority", "none"),
                      (*argv, "--out", c.path("no/such/folder")),
                      ("cert", "issue", "--csr", argv[3], "--profile",
                       "none", "--dns", "srv.example.com")):
            p = c.mica(*wrong, check=False)
            assert p.returncode == 1 and p.stderr and not p.stdout, \
                (wrong, p.stdout, p.stderr)
        names = [x["profile"] for x in
                 c.json("cert", "list")["certificates"]]
        assert "tls-server" not in names, names


def test_certificate_is_shown_with_its_story(build):
    with ca(build) as c:
        _, pem = c.device("m1")
        shown = c.mica("cert", "show", "--file", pem).stdout
        for line in (r"serial +" + serial(pem), r"state +issued",
                     r"device +m1", r"credential +token",
                     r"subject +CN=m1,O=Example|subject +O=Example,CN=m1"):
            assert re.search("^" + line, shown, re.M), (line, shown)
        again = c.mica("cert", "show", serial(pem).upper(), "--pem").stdout
        with open(pem) as f:
            assert again in f.read()
        c.mica("device", "suspend", "m1")
        d = c.json("cert", "show", serial(pem))
        assert (d["state"], d["held_by_suspend"]) == ("held", True), d
        held = c.json("cert", "list", "--state", "revoked")["certificates"]
        assert [x["serial"] for x in held] == [serial(pem)], held
        c.mica("device", "resume", "m1")
        assert c.json("cert", "show", serial(pem))["state"] == "issued"
        mine = c.json("cert", "list", "--device", "m1")["certificates"]
        assert [x["serial"] for x in mine] == [serial(pem)], mine
        soon = c.json("cert", "list", "--expires-within",
                      "60d")["certificates"]
        # The daemon's own: its OCSP responder's and its listener's.
        assert sorted(x["profile"] for x in soon) == ["@est", "@ocsp"], soon


def test_every_profile_of_init_issues(build):
    with ca(build) as c:
        profiles = {"sensor": ("/CN=x", ()),
                    "tls-server": ("/CN=x.example", ("--dns", "x.example")),
                    "idevid": ("/serialNumber=x", ()),
                    "ldevid": ("/serialNumber=x", ()),
                    "matter-dac": ("/", ()),
                    "code-signing": ("/CN=x", ())}
        with open(c.conf) as f:
            named = re.findall(r"^  ([a-z-]+):\n    keys:", f.read(), re.M)
        assert sorted(named) == sorted(profiles), named
        for name, (subject_of, more) in profiles.items():
            _, b64 = c.csr(name, subject_of)
            device = () if more else ("--device", "x")
            out = c.path(name + ".pem")
            c.mica("cert", "issue", "--csr", b64, "--profile", name, *more,
                   *device, "--out", out)
            c.verify(out, "any")


def test_manual_has_every_command_and_option(build):
    manual = os.path.join(os.path.dirname(__file__), "..", "..", "man",
                          "mica.1")
    with open(manual) as f:
        text = f.read()
    mica = os.path.join(build, "mica")
    commands = re.findall(r"^  (\w+(?: \w+)?)  ", run(mica, "--help").stdout,
                          re.M)
    assert len(commands) >= 12, commands
    for command in commands:
        assert f"\n.It Cm {command} " in text or \
            f"\n.It Cm {command}\n" in text, command
        usage = run(mica, *command.split(), "--help").stdout
        for option in re.findall(r"--([a-z-]+)", usage):
            assert f"Fl Fl {option}" in text, (command, option)


# --- status and the store
def test_status_warns_of_what_an_operator_should_know(build):
    with ca(build) as c:
        s = c.json("status")
        assert s["store"]["halted"] is False
        warnings = " ".join(s["warnings"])
        assert "root" in warnings and "offline" in warnings, warnings
        assert ("boundary" in warnings) == (os.geteuid() != 0), warnings
        os.rename(os.path.join(c.home, "root"), c.path("offline"))
        assert "offline" not in " ".join(c.json("status")["warnings"])
        killed = c.pids("worker")[0]
        os.kill(killed, 9)
        wait_for("a restart", lambda: any(
            p["restarts"] == 1 and p["ready"] and p["pid"] != killed
            for p in c.json("status")["processes"]))


def test_a_full_disk_stops_issuing_and_is_told(build):
    def full(text):
        new = text.replace("path: store,", "path: store, low: 16TiB,")
        assert new != text
        return new
    with Ca(build, edit=full) as c:
        c.start(ready=False)
        wait_for("a start without EST", lambda: 'est="off"' in c.log(), 20)
        assert "store.lmdb.low" in " ".join(c.json("status")["warnings"])
        c.mica("device", "add", "dev")
        c.mica("device", "suspend", "dev")
        key, _ = c.csr("srv", "/CN=srv.example")
        p = c.mica("cert", "issue", "--csr", key[:-4] + ".csr", "--profile",
                   "tls-server", "--dns", "srv.example", check=False)
        assert p.returncode == 1 and "disk" in p.stderr, p.stderr


def test_store_check_needs_no_daemon(build):
    with ca(build) as c:
        c.device("m1")
        c.mica("device", "suspend", "m1")
        running = c.json("store", "check")
        c.stop()
        stopped = c.json("store", "check")
        assert running == stopped and stopped["faults"] == 0, stopped
        assert stopped["held"] == 1 and stopped["devices"] == 1, stopped
        assert "0 faults" in c.mica("store", "check").stdout
        p = c.mica("store", "check", "--store", c.path("none"), check=False)
        assert p.returncode == 1 and p.stderr, p.stderr


def test_audit_trail_is_exported_and_changes_to_it_show(build):
    with ca(build) as c:
        c.mica("device", "add", "meter-aaa")
        entries = c.json("audit", "list")["entries"]
        assert [e["object"] for e in entries
                if e["event"] == "device.create"] == ["meter-aaa"], entries
        assert len(c.json("audit", "list", "--max", "2")["entries"]) == 2
        export = c.path("audit")
        done = c.json("audit", "export", "--out", export)
        assert done["entries"] == done["last"] >= len(entries), done
        p = c.mica("audit", "export", "--out", export, check=False)
        assert p.returncode == 1 and "exists" in p.stderr, p.stderr
        for n in range(120):
            c.mica("device", "add", f"other-{n}")
        p = c.mica("audit", "verify", "--file", export)
        assert f"1 to {done['last']} stand" in p.stdout, p.stdout
        later, part = c.path("later"), c.path("part")
        assert c.json("audit", "export", "--out", later)["entries"] > 120
        c.mica("audit", "export", "--out", part, "--cursor", "5")
        c.stop()
        for f in (export, later, part):
            c.mica("audit", "verify", "--file", f)
        # An export that somebody touched.
        with open(later) as f:
            text = f.read()
        forged = c.path("forged")
        with open(forged, "w") as f:
            f.write(text.replace("meter-aaa", "meter-bbb"))
        refused_verify(c, forged, "was changed")
        with open(forged, "w") as f:
            f.write("".join(x for x in text.splitlines(True)
                            if "meter-aaa" not in x))
        refused_verify(c, forged, "should")
        # A store that somebody touched, and one that is another.
        data = os.path.join(c.home, "store", "data.mdb")
        with open(data, "rb") as f:
            store = f.read()
        with open(data, "wb") as f:
            f.write(store.replace(b"meter-aaa", b"meter-bbb"))
        refused_verify(c, export, "was changed")
        with open(data, "wb") as f:
            f.write(store)
        c.mica("audit", "verify", "--file", export)
        with ca(build) as other:
            for n in range(20):
                other.mica("device", "add", f"x{n}")
            other.stop()
            refused_verify(c, export, "not what was exported", "--store",
                           os.path.join(other.home, "store"))


def refused_verify(c, path, word, *more):
    p = c.mica("audit", "verify", "--file", path, *more, check=False)
    assert p.returncode == 1 and word in p.stderr, (p.stdout, p.stderr)
