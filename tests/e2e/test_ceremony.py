"""Ceremonies: a root that stays offline, judged by openssl; what is refused;
transcripts that end in their own digest."""

import glob
import hashlib
import os
import pty
import re
import select
import shutil
import signal
import tempfile
import termios

from harness import Ca, run, subject

MARK = "SHA-256 of all lines above: "
SECRET = "correct horse\n"


class Offline:
    """The other machine: a root of its own, and nothing else."""

    def __init__(self, build, folder, name="Example"):
        self.build, self.dir = build, folder
        self.key = os.path.join(folder, "root.key")
        self.pem = os.path.join(folder, "root.pem")
        self.secret = folder + ".pass"
        with open(self.secret, "w") as f:
            f.write(SECRET)
        self.mica("authority", "root", folder, "--name", name, "--type",
                  "p256", "--root-passphrase-file", self.secret)

    def mica(self, *argv, check=True, stdin=None):
        return run(os.path.join(self.build, "mica"), *argv, check=check,
                   stdin=stdin)

    def sign(self, request, out, *more, check=True, yes=("--yes",),
             stdin=None, secret=None):
        return self.mica(
            "authority", "sign", request, "--out", out, "--key", self.key,
            "--file", self.pem, "--root-passphrase-file",
            secret or self.secret, *yes, *more, check=check, stdin=stdin)


class Away(Ca):
    """A CA whose root is Offline; its certificate is not there yet."""

    def __init__(self, build, **kw):
        self.offline = None
        super().__init__(build, init=self.root_first(build), **kw)
        self.request = os.path.join(self.home, "issuing.req.pem")
        self.issuing = os.path.join(self.home, "ca", "issuing.pem")

    def root_first(self, build):
        """mica init wants the root, and the root a folder: both at once."""
        self.other = tempfile.mkdtemp(prefix="mica-e2e-root.")
        self.offline = Offline(build, os.path.join(self.other, "root"))
        return ("--root", self.offline.pem)

    def __exit__(self, *args):
        try:
            super().__exit__(*args)
        finally:
            shutil.rmtree(self.other, ignore_errors=True)

    def install(self, pem, *more, check=True):
        return self.mica("authority", "install", "factory", pem, *more,
                         check=check)


def check_transcript(path, *needles):
    with open(path, "rb") as f:
        text = f.read()
    assert all(c == 10 or 32 <= c < 127 for c in text), path
    head, digest = text.rsplit(MARK.encode(), 1)
    assert hashlib.sha256(head).hexdigest() == digest.decode().strip(), path
    for needle in needles:
        assert needle in text.decode(), (needle, text.decode())
    assert text.decode().count("signature ____") == 4


def fingerprint(pem):
    out = run("openssl", "x509", "-in", pem, "-noout", "-fingerprint",
              "-sha256").stdout
    return out.split("=")[1].strip().lower()


def test_an_offline_root_makes_a_ca_that_serves(build):
    with Away(build) as c:
        root = c.offline
        assert not os.path.exists(c.issuing)
        assert not os.path.exists(os.path.join(c.home, "root"))
        run("openssl", "req", "-in", c.request, "-noout", "-verify")
        pem = c.path("factory.pem")
        p = root.sign(c.request, pem, yes=(), stdin="yes\n")
        assert "CN=Example Issuing CA,O=Example" in p.stdout
        p = c.install(pem)
        assert "no daemon" in p.stdout.lower(), p.stdout
        # What each wrote is whole, and says which certificate it was.
        check_transcript(os.path.join(root.dir, "root.transcript"),
                         fingerprint(root.pem))
        check_transcript(c.request + ".transcript", "Certificate Request:")
        check_transcript(pem + ".transcript", "yes was typed",
                         fingerprint(pem), fingerprint(root.pem))
        done, = glob.glob(c.issuing + ".*.transcript")
        check_transcript(done, fingerprint(pem), "a signature by the key")
        run("openssl", "verify", "-x509_strict", "-CAfile", root.pem, c.issuing)
        text = run("openssl", "x509", "-in", c.issuing, "-noout",
                   "-text").stdout
        assert "CA:TRUE, pathlen:0" in text and "CRL Sign" in text
        c.start()
        _, device = c.device("meter-1")
        c.verify(device)


def test_a_ca_is_certified_again_while_it_serves(build):
    with Away(build) as c:
        first, second = c.path("1.pem"), c.path("2.pem")
        c.offline.sign(c.request, first, "--validity", "1y")
        c.install(first)
        c.start()
        _, before = c.device("meter-1")
        again = c.path("again.pem")
        c.mica("authority", "request", "factory", "--out", again)
        check_transcript(again + ".transcript")
        c.offline.sign(again, second, "--validity", "5y")
        p = c.install(second)
        assert "has taken it up" in p.stdout, p.stdout
        kept = [f for f in glob.glob(c.issuing + ".2*")
                if not f.endswith("transcript")]
        assert len(kept) == 1 and fingerprint(kept[0]) == fingerprint(first)
        shown, = c.json("status")["authorities"]
        assert shown["sha256"] == fingerprint(second).replace(":", "")
        assert subject(second) == subject(first)
        # Old and new certificates of devices hang below both.
        _, after = c.device("meter-2")
        for pem in (before, after):
            c.verify(pem)
        p = c.install(second, check=False)
        assert p.returncode == 1 and "already" in p.stderr


def refused(p, clause):
    assert p.returncode == 1 and clause in p.stderr, (
        p.returncode, clause, p.stdout, p.stderr)


def edit_request(c, name, subj="/O=Example/CN=Example Issuing CA",
                 basic="critical,CA:TRUE,pathlen:0", key=None):
    """A request that openssl writes."""
    out = c.path(name + ".req.pem")
    key = key or os.path.join(c.home, "keys", "issuing.key")
    run("openssl", "req", "-new", "-key", key, "-subj", subj, "-out", out,
        *(("-addext", "basicConstraints=" + basic) if basic else ()))
    return out


def test_the_root_refuses_requests_outside_its_rules(build):
    with Away(build) as c:
        sign, out = c.offline.sign, c.path("out.pem")

        def no(request, clause, *more, **kw):
            refused(sign(request, out, *more, check=False, **kw), clause)
            assert not os.path.exists(out)
            assert not os.path.exists(out + ".transcript")

        no(edit_request(c, "o", subj="/O=Other/CN=Example Issuing CA"),
           "has not the issuer's O")
        no(edit_request(c, "cn", subj="/O=Example"), "exactly one CN")
        no(edit_request(c, "self", subj="/O=Example/CN=Example Root CA"),
           "subject is the issuer's")
        no(edit_request(c, "ee", basic="CA:FALSE"), "does not ask for a CA")
        no(edit_request(c, "bare", basic=None), "does not ask for a CA")
        no(c.request, "not that of --subject", "--subject", "CN=Another")
        no(c.request, "the answer was not yes", yes=(), stdin="no\n")
        # Someone else's key in the request, and the signature of ours.
        forged = c.path("forged.pem")
        der, other = c.path("a.der"), c.path("b.der")
        run("openssl", "req", "-in", c.request, "-outform", "DER", "-out", der)
        run("openssl", "req", "-in", edit_request(c, "x", key=c.key("x")),
            "-outform", "DER", "-out", other)
        with open(der, "rb") as f:
            a = f.read()
        with open(other, "rb") as f:
            b = f.read()
        point = bytes.fromhex("034200")  # BIT STRING of an EC point
        i, j = a.index(point), b.index(point)
        with open(der, "wb") as f:
            f.write(a[:i] + b[j:j + 68] + a[i + 68:])
        run("openssl", "req", "-inform", "DER", "-in", der, "-out", forged)
        no(forged, "not signed by the key")
        wrong = c.path("wrong.pass")
        with open(wrong, "w") as f:
            f.write("incorrect horse\n")
        p = sign(c.request, out, check=False, secret=wrong)
        refused(p, "wrong passphrase")
        assert not os.path.exists(out)
        sign(c.request, out)


def by_openssl(c, name, key, days="365", basic="critical,CA:TRUE,pathlen:0",
               usage="critical,keyCertSign,cRLSign", issuer=None):
    """A certificate that the root's key signs, whatever it is for."""
    req, out, ext = c.path(name + ".r"), c.path(name + ".pem"), c.path("ext")
    run("openssl", "req", "-new", "-key", key, "-subj",
        "/O=Example/CN=Example Issuing CA", "-out", req)
    with open(ext, "w") as f:
        f.write(f"basicConstraints={basic}\nkeyUsage={usage}\n"
                "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n")
    root = issuer or c.offline
    run("openssl", "x509", "-req", "-in", req, "-CA", root.pem, "-CAkey",
        root.key, "-passin", "file:" + root.secret, "-CAcreateserial",
        "-extfile", ext, "-days", days, "-out", out)
    return out


def test_what_is_not_the_authoritys_is_not_installed(build):
    with Away(build) as c:
        key = os.path.join(c.home, "keys", "issuing.key")
        good = c.path("good.pem")
        c.offline.sign(c.request, good)
        stranger = Offline(build, os.path.join(c.other, "stranger"))

        def no(pem, clause, *more):
            refused(c.install(pem, *more, check=False), clause)
            assert not os.path.exists(c.issuing)
            assert not glob.glob(c.issuing + "*")

        no(by_openssl(c, "other", c.key("other")), "another key")
        no(by_openssl(c, "old", key, days="-1"), "expired")
        no(by_openssl(c, "ee", key, basic="CA:FALSE"), "CA:TRUE")
        no(by_openssl(c, "mute", key, usage="critical,digitalSignature"),
           "keyCertSign")
        no(by_openssl(c, "alien", key, issuer=stranger),
           "against the configured root")
        crl, revoked = c.path("root.crl"), c.path("revoked")
        serial = run("openssl", "x509", "-in", good, "-noout",
                     "-serial").stdout.strip().split("=")[1]
        with open(revoked, "w") as f:
            f.write(f"{serial} 2026-01-01T00:00:00Z cACompromise\n")
        c.offline.mica("authority", "crl", "--out", crl, "--revoked", revoked,
                       "--key", c.offline.key, "--file", c.offline.pem,
                       "--root-passphrase-file", c.offline.secret)
        no(good, "revoked", "--crl", crl)
        # The same of the CRL that the daemon serves for its issuer.
        shutil.copy(crl, os.path.join(c.home, "ca", "root.crl"))
        with open(c.conf) as f:
            text = f.read()
        with open(c.conf, "w") as f:
            f.write(text.replace("{ certificate: ca/issuing.pem,",
                                 "{ issuer_crl: ca/root.crl, "
                                 "certificate: ca/issuing.pem,"))
        no(good, "revoked")
        with open(c.conf, "w") as f:
            f.write(text)
        os.unlink(crl)
        c.offline.mica("authority", "crl", "--out", crl, "--key",
                       stranger.key, "--file", stranger.pem,
                       "--root-passphrase-file", stranger.secret)
        # Of the same name, by another key.
        no(good, "not its issuer's", "--crl", crl)
        c.install(good)


def test_a_second_operator_agrees_to_a_certificate(build):
    def two(text):
        return text + "\napprovals: 2\n"

    with Away(build, edit=two) as c:
        first, second = c.path("1.pem"), c.path("2.pem")
        c.offline.sign(c.request, first)
        c.install(first)
        c.start()
        again = c.path("again.pem")
        c.mica("authority", "request", "factory", "--out", again)
        c.offline.sign(again, second)
        p = c.install(second, check=False)
        assert p.returncode == 4 and "approval approve" in p.stderr, p.stderr
        assert fingerprint(c.issuing) == fingerprint(first)
        assert not os.path.exists(c.issuing + ".new")
        # That no certificate is there does not help while the daemon runs.
        os.rename(c.issuing, c.issuing + ".away")
        p = c.install(second, check=False)
        assert p.returncode == 4, (p.returncode, p.stderr)
        os.rename(c.issuing + ".away", c.issuing)
        # Nobody agrees with themselves.
        number, = re.findall(r"approval approve (\d+)", p.stderr)
        p = c.mica("approval", "approve", number, check=False)
        assert p.returncode == 1, p.stdout


def at_terminal(argv, answers, cwd):
    """Run on a terminal of its own; what it said, with each answer typed when
    its question was there. Its exit status comes last."""
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(cwd)
        os.execv(argv[0], argv)
    said, waiting = "", list(answers)
    while True:
        ready, _, _ = select.select([fd], [], [], 30)
        assert ready, said
        try:
            data = os.read(fd, 4096)
        except OSError:
            break
        if not data:
            break
        said += data.decode()
        if waiting and waiting[0][0] in said:
            os.write(fd, (waiting.pop(0)[1] + "\n").encode())
    os.close(fd)
    _, status = os.waitpid(pid, 0)
    assert not waiting, (waiting, said)
    return said, os.waitstatus_to_exitcode(status)


def test_passphrase_and_consent_are_asked_for_at_the_terminal(build):
    with Away(build) as c:
        argv = [os.path.join(build, "mica"), "authority", "sign", c.request,
                "--key", c.offline.key, "--file", c.offline.pem, "--out",
                "signed.pem"]
        said, status = at_terminal(
            argv, [("Passphrase of", SECRET.strip()),
                   ("Type yes:", "yes")], c.dir)
        assert status == 0, said
        assert SECRET.strip() not in said, said
        run("openssl", "verify", "-CAfile", c.offline.pem,
            c.path("signed.pem"))
        argv[-1] = "other.pem"
        said, status = at_terminal(
            argv, [("Passphrase of", "wrong")], c.dir)
        assert status == 1 and "wrong passphrase" in said, said
        assert not os.path.exists(c.path("other.pem"))


def read_until(fd, said, needle):
    while needle not in said:
        ready, _, _ = select.select([fd], [], [], 30)
        assert ready, said
        said += os.read(fd, 4096).decode()
    return said


def test_a_terminal_has_its_echo_back_whatever_ends_the_question(build):
    """Ctrl-C, and a signal from elsewhere; one that only stops us does not end
    it. The other end of the terminal stays open, so that it can be looked at."""
    def echoes(fd):
        return bool(termios.tcgetattr(fd)[3] & termios.ECHO)

    with Away(build) as c:
        argv = [os.path.join(build, "mica"), "authority", "sign", c.request,
                "--key", c.offline.key, "--file", c.offline.pem, "--out",
                c.path("signed.pem"), "--yes"]
        for how in ("\x03", "\x1c", signal.SIGTERM, signal.SIGHUP):
            fd, other = os.openpty()
            pid = os.fork()
            if pid == 0:
                os.chdir(c.dir)
                os.login_tty(other)
                os.execv(argv[0], argv)
            read_until(fd, "", "Passphrase of")
            assert not echoes(other), how
            if isinstance(how, str):
                os.write(fd, ("corr" + how).encode())
            else:
                os.write(fd, b"corr")
                os.kill(pid, how)
            _, status = os.waitpid(pid, 0)
            wanted = {"\x03": signal.SIGINT, "\x1c": signal.SIGQUIT}.get(
                how, how)
            assert os.WIFSIGNALED(status) and \
                os.WTERMSIG(status) == wanted, (how, status)
            assert echoes(other), how
            os.close(other)
            os.close(fd)
        assert not os.path.exists(c.path("signed.pem"))
        # Nobody waits for the leader of a session that is stopped: it goes on.
        pid, fd = pty.fork()
        if pid == 0:
            os.execv(argv[0], argv)
        said = read_until(fd, "", "Passphrase of")
        os.write(fd, b"\x1a")
        said = read_until(fd, said.replace("Passphrase of", ""),
                          "Passphrase of")
        os.write(fd, SECRET.encode())
        read_until(fd, said, "to be taken back")
        assert os.waitpid(pid, 0)[1] == 0
        os.close(fd)


URLS = ("http://pki.example/root.crl", "http://192.0.2.7:8080/root.crl?a=%20b",
        "http://[2001:db8::1]/root.crl")
ISSUERS = ("http://pki.example/root.cer", "http://pki.example/root.p7c")


def test_a_certificate_says_where_its_issuers_crl_and_certificate_are(build):
    with Away(build) as c:
        pem = c.path("factory.pem")
        for option in ("--crl-url", "--ca-issuers-url"):
            refused(c.offline.sign(c.request, pem, option,
                                   "https://pki.example/root", check=False),
                    "want an http:// URL")
            assert not glob.glob(pem + "*")
        said = c.offline.sign(
            c.request, pem, *(x for u in URLS for x in ("--crl-url", u)),
            *(x for u in ISSUERS for x in ("--ca-issuers-url", u))).stdout
        for u in URLS + ISSUERS:
            assert u in said, said
        check_transcript(pem + ".transcript", "Its issuer's CRL:", *URLS,
                         *ISSUERS)
        text = run("openssl", "x509", "-in", pem, "-noout", "-ext",
                   "crlDistributionPoints,authorityInfoAccess").stdout
        # One point, whose names are ways to one CRL; neither is critical.
        assert text.count("Full Name:") == 1 and "critical" not in text, text
        assert re.findall(r"^ *URI:(.*)$", text, re.M) == list(URLS), text
        assert re.findall(r"CA Issuers - URI:(.*)$", text, re.M) == \
            list(ISSUERS), text
        run("openssl", "verify", "-x509_strict", "-CAfile", c.offline.pem, pem)
        c.install(pem)
        c.start()
        _, device = c.device("meter-1")
        c.verify(device)


def crl_number(path):
    text = run("openssl", "crl", "-inform", "DER", "-in", path, "-noout",
               "-crlnumber").stdout
    return int(text.strip().split("=")[1], 16)


def test_an_offline_root_takes_an_authority_back_for_good(build):
    with Away(build) as c:
        root, crl = c.offline, c.path("root.crl")
        revoked, pem = c.path("revoked"), c.path("factory.pem")
        root.sign(c.request, pem)

        def sign_crl(*more, key=root, check=True):
            return root.mica("authority", "crl", "--out", crl, "--key",
                             key.key, "--file", key.pem,
                             "--root-passphrase-file", key.secret, *more,
                             check=check)

        def verify():
            run("openssl", "crl", "-inform", "DER", "-in", crl, "-CAfile",
                root.pem, "-out", crl + ".pem")
            return run("openssl", "verify", "-x509_strict", "-crl_check",
                       "-CRLfile", crl + ".pem", "-CAfile", root.pem, pem,
                       check=False)
        sign_crl()
        first = crl_number(crl)
        assert verify().returncode == 0
        sign_crl("--revoked", revoked, "--revoke", pem, "--reason",
                 "cACompromise", "--transcript", c.path("crl.transcript"))
        assert crl_number(crl) > first
        assert "certificate revoked" in verify().stderr
        number = run("openssl", "x509", "-in", pem, "-noout",
                     "-serial").stdout.strip().split("=")[1]
        check_transcript(c.path("crl.transcript"), "a CRL is signed", number,
                         "CA Compromise", fingerprint(root.pem))
        with open(revoked) as f:
            line, = f.read().splitlines()
        assert line.lower().startswith(number.lower() + " ") and \
            line.endswith(" cACompromise"), line

        # Not by an oversight; what ran out long ago, when somebody says so.
        refused(sign_crl(check=False), "is missing, which the CRL before has")
        assert "certificate revoked" in verify().stderr
        sign_crl("--force")
        assert verify().returncode == 0


def test_a_ca_between_root_and_authority(build):
    """install takes what stands between, and the CRL of whose it is."""
    with Away(build) as c:
        run(c.bin("mica-signer"), "--ceremony", "make-key", "--type", "p256",
            "--out", c.path("mid.key"))
        run(c.bin("mica-signer"), "--ceremony", "request", "--key",
            c.path("mid.key"), "--subject", "O=Example", "--subject",
            "CN=Middle", "--path-length", "1", "--out", c.path("mid.req"))
        middle, leaf = c.path("mid.pem"), c.path("leaf.pem")
        c.offline.sign(c.path("mid.req"), middle, "--path-length", "1")
        c.offline.mica("authority", "sign", c.request, "--out", leaf, "--key",
                       c.path("mid.key"), "--file", middle, "--yes")
        refused(c.install(leaf, check=False), "against the configured root")
        p = c.install(leaf, c.offline.pem, check=False)
        refused(p, "against the configured root")
        crl = c.path("root.crl")
        c.offline.mica("authority", "crl", "--out", crl, "--key",
                       c.offline.key, "--file", c.offline.pem,
                       "--root-passphrase-file", c.offline.secret)
        # The root's own file stays the root's.
        anchor = os.path.join(c.home, "ca", "root.pem")
        refused(c.install(leaf, middle, check=False), "is the root's alone")
        with open(anchor) as f:
            assert f.read().count("BEGIN CERTIFICATE") == 1
        chain = os.path.join(c.home, "ca", "factory-chain.pem")
        shutil.copy(anchor, chain)
        with open(c.conf) as f:
            text = f.read()
        assert "chain: ca/root.pem" in text, text
        with open(c.conf, "w") as f:
            f.write(text.replace("chain: ca/root.pem",
                                 "chain: ca/factory-chain.pem"))
        c.install(leaf, middle, "--crl", crl)
        with open(chain) as f:
            assert f.read().count("BEGIN CERTIFICATE") == 2
        c.start()
        _, pem = c.device("meter-1")
        run("openssl", "verify", "-x509_strict", "-CAfile", c.offline.pem,
            "-untrusted", chain, "-untrusted", c.issuing, pem)
