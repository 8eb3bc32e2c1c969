"""Code signatures: mica sign, judged by openssl cms, certtool and BouncyCastle."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess

from harness import Ca, Skip, need, run, wait_for
from softhsm import Token

VERIFIER = os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "tools", "CmsVerify.java")
JARS = [f"/usr/share/java/{name}.jar" for name in
        ("bcpkix", "bcprov", "bcutil")]
KINDS = {"p256": "p256", "p384": "p384", "ed": "ed25519", "rsa": "rsa3072",
         "pss": "rsa3072"}
DIGESTS = {"p256": "sha256", "p384": "sha384", "ed": "sha512",
           "rsa": "sha256", "pss": "sha256"}


def edit(kinds=("p256",), more="", access="", token=None):
    """Code keys of those kinds, under the profile that mica init writes."""
    def change(text):
        text = text.replace(
            "keys:\n  issuing:", "keys:\n" + "".join(
                f"  code-{k}: {{ {token or f'file: code-{k}.key'}"
                f"{', padding: pss' if k == 'pss' else ''} }}\n"
                for k in kinds) +
            "  issuing:", 1)
        text = re.sub(r"(code-signing:\n    keys: )\[[^]]*\]",
                      r"\1[p256, p384, ed25519, rsa3072]", text)
        text = text.replace("access: []\n", f"access: [{access}]\n", 1)
        return text + "\ncode:\n" + "".join(
            f"  {k}: {{ key: code-{k}, authority: factory, "
            f"profile: code-signing{more} }}\n" for k in kinds)
    return change


class Signing(Ca):
    """A daemon with code keys, and a file to sign."""

    def __init__(self, build, kinds=("p256",), more="", access="",
                 token=None):
        super().__init__(build, edit=edit(kinds, more, access, token))
        for k in kinds if token is None else ():
            key = os.path.join(self.home, "keys", f"code-{k}.key")
            run(self.bin("mica-signer"), "--ceremony", "make-key", "--out",
                key, "--type", KINDS[k])
            self.give(key)
        self.file = self.path("firmware.bin")
        with open(self.file, "wb") as f:
            f.write(os.urandom(100000))

    def give(self, path):
        """To the signer."""
        st = os.stat(os.path.join(self.home, "keys", "issuing.key"))
        os.chown(path, st.st_uid, st.st_gid)

    def up(self):
        self.start()
        wait_for("certificates of the code keys", lambda: all(
            k.get("serial") for k in self.json("code", "list")["code"]))
        return self

    def sign(self, *argv, check=True):
        return self.mica("sign", *argv, check=check)

    def good(self, file, p7s, *more):
        return run(self.bin("mica"), "sign", "--verify", file, p7s, "--ca",
                   self.root, *more, check=False)

    def audit(self):
        return run("strings", "-n", "6", os.path.join(
            self.home, "store", "data.mdb")).stdout


def openssl_verify(c, file, p7s, *more):
    return run("openssl", "cms", "-verify", "-binary", "-inform", "DER",
               "-in", p7s, "-content", file, "-CAfile", c.root, "-purpose",
               "any", "-out", os.devnull, *more, check=False)


def test_signatures_are_verified_by_openssl(build):
    kinds = ("p256", "p384", "rsa", "pss")
    with Signing(build, kinds).up() as c:
        for k in kinds:
            p7s = c.path(f"{k}.p7s")
            out = c.sign(c.file, "--key", k, "-o", p7s).stdout
            assert "signed by " + k in out, out
            r = openssl_verify(c, c.file, p7s)
            assert r.returncode == 0, (k, r.stderr)
            r = c.good(c.file, p7s)
            assert r.returncode == 0 and "good: signed by" in r.stdout, r
            text = run("openssl", "cms", "-cmsout", "-print", "-noout",
                       "-inform", "DER", "-in", p7s).stdout
            assert f"algorithm: {DIGESTS[k]}" in text, text
            for attr in ("contentType", "messageDigest", "signingTime",
                         "signingCertificateV2", "1.2.840.113549.1.9.52"):
                assert attr in text, (attr, text)


def test_ed25519_signatures_follow_rfc_8419(build):
    """OpenSSL 3.0 reads them and does not verify them: the signature over the
    attributes is checked by its pkeyutl."""
    with Signing(build, ("ed",)).up() as c:
        p7s, leaf = c.path("ed.p7s"), c.path("leaf.pem")
        c.sign(c.file, "-o", p7s)
        assert c.good(c.file, p7s).returncode == 0
        text = run("openssl", "cms", "-cmsout", "-print", "-noout", "-inform",
                   "DER", "-in", p7s).stdout
        assert "algorithm: sha512" in text and "ED25519" in text, text
        with open(p7s, "rb") as f:
            der = f.read()
        parsed = run("openssl", "asn1parse", "-inform", "DER", "-in",
                     p7s).stdout
        # signedAttrs: the [0] after digestAlgorithm, inside SignerInfo; the
        # signature is the last OCTET STRING.
        at = [re.match(r" *(\d+):d=(\d+) +hl=(\d+) l= *(\d+) (\w+): (.*)",
                       line) for line in parsed.splitlines()]
        at = [m for m in at if m]
        attrs = [m for m in at if m[2] == "5" and "cont [ 0 ]" in m[6]][-1]
        begin, n = int(attrs[1]), int(attrs[3]) + int(attrs[4])
        with open(c.path("attrs"), "wb") as f:
            f.write(b"\x31" + der[begin + 1:begin + n])
        last = [m for m in at if "OCTET STRING" in m[6]][-1]
        begin = int(last[1]) + int(last[3])
        with open(c.path("sig"), "wb") as f:
            f.write(der[begin:begin + int(last[4])])
        key = c.json("code", "list")["code"][0]
        with open(leaf, "w") as f:
            f.write(key["certificate"])
        run("openssl", "x509", "-in", leaf, "-pubkey", "-noout", "-out",
            c.path("pub"))
        run("openssl", "pkeyutl", "-verify", "-pubin", "-inkey",
            c.path("pub"), "-rawin", "-in", c.path("attrs"), "-sigfile",
            c.path("sig"))


def test_signatures_are_verified_by_certtool(build):
    need("certtool")
    with Signing(build, ("p256", "rsa")).up() as c:
        for k in ("p256", "rsa"):
            p7s = c.path(f"{k}.pem")
            c.sign(c.file, "--key", k, "--pem", "-o", p7s)
            r = run("certtool", "--p7-verify", "--infile", p7s,
                    "--load-data", c.file, "--load-ca-certificate", c.root,
                    check=False)
            assert r.returncode == 0, (k, r.stdout, r.stderr)
            assert c.good(c.file, p7s).returncode == 0


def test_signatures_are_verified_by_bouncycastle(build):
    if not os.environ.get("MICA_TEST_CI"):
        raise Skip("runs under ./check --ci")
    need("java", "javac")
    if not all(os.path.exists(jar) for jar in JARS):
        raise Skip("libbcpkix-java is not installed")
    with Signing(build, tuple(KINDS)).up() as c:
        run("javac", "-cp", ":".join(JARS), "-d", c.dir, VERIFIER,
            timeout=120)
        with open(c.path("other"), "wb") as f:
            f.write(b"another")
        for k in KINDS:
            p7s = c.path(f"{k}.p7s")
            c.sign(c.file, "--key", k, "-o", p7s)
            for file, word in ((c.file, "good"), (c.path("other"), "bad")):
                r = run("java", "-cp", ":".join(JARS + [c.dir]), "CmsVerify",
                        file, p7s, check=False, timeout=120)
                assert r.stdout.startswith(word), (k, r.stdout, r.stderr)


def test_a_key_in_a_token_signs(build):
    with Token() as t, Signing(
            build, more=", approvals: 1",
            token=f'uri: "{t.uri("firmware")}", module: {t.module}, '
            "pin: token.pin") as c:
        pin = os.path.join(c.home, "keys", "token.pin")
        shutil.copy(t.pin, pin)
        os.chmod(pin, 0o600)
        c.give(pin)
        run(c.bin("mica"), "key", "create", "firmware", "--uri",
            t.uri("firmware"), "--module", t.module, "--pin-file", t.pin,
            "--type", "p256", "--transcript", c.path("transcript"))
        t.give()
        c.up()
        c.sign(c.file)
        r = openssl_verify(c, c.file, c.file + ".p7s")
        assert r.returncode == 0, r.stderr
        assert c.good(c.file, c.file + ".p7s").returncode == 0


def test_what_is_not_good_is_told(build):
    with Signing(build).up() as c:
        p7s = c.file + ".p7s"
        c.sign(c.file)
        with open(c.file, "rb") as f:
            data = bytearray(f.read())
        data[4711] ^= 1
        other = c.path("tampered")
        with open(other, "wb") as f:
            f.write(data)
        assert openssl_verify(c, other, p7s).returncode != 0
        r = c.good(other, p7s)
        assert r.returncode == 5 and "the file was changed" in r.stderr, r
        with open(p7s, "rb") as f:
            cms = bytearray(f.read())
        cms[-1] ^= 1
        broken = c.path("broken.p7s")
        with open(broken, "wb") as f:
            f.write(cms)
        r = c.good(c.file, broken)
        assert r.returncode == 5, r
        # Another root, another time.
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
            "-keyout", c.path("k"), "-out", c.path("root"), "-subj",
            "/CN=Other", "-days", "2")
        r = run(c.bin("mica"), "sign", "--verify", c.file, p7s, "--ca",
                c.path("root"), check=False)
        assert r.returncode == 5 and "issuer" in r.stderr, r
        r = c.good(c.file, p7s, "--at", "2001-01-01")
        assert r.returncode == 5 and "not yet valid" in r.stderr, r
        assert c.good(c.file, c.path("nothing")).returncode == 1
        assert c.good(c.file, c.file).returncode == 5


def test_a_certificate_for_something_else_is_not_good(build):
    with Signing(build).up() as c:
        key, csr = c.key("client"), c.csr("client", "/CN=client")
        c.mica("cert", "issue", "--csr", c.path("client.csr"), "--profile",
               "sensor", "--device", "client", "--out", c.path("client.pem"))
        run("openssl", "cms", "-sign", "-binary", "-in", c.file, "-signer",
            c.path("client.pem"), "-inkey", key, "-certfile",
            os.path.join(c.home, "ca", "issuing.pem"), "-outform", "DER",
            "-out", c.path("p7s"))
        assert openssl_verify(c, c.file, c.path("p7s")).returncode == 0
        r = c.good(c.file, c.path("p7s"))
        assert r.returncode == 5 and "not for code signing" in r.stderr, r


def test_nothing_is_written_over_unless_asked(build):
    with Signing(build).up() as c:
        c.sign(c.file)
        r = c.sign(c.file, check=False)
        assert r.returncode == 1 and "exists" in r.stderr, r
        c.sign(c.file, "--force")
        assert openssl_verify(c, c.file, c.file + ".p7s").returncode == 0
        # Standard input to standard output.
        with open(c.file, "rb") as f:
            out = subprocess.run(
                [c.bin("mica"), "--config", c.conf, "sign", "-"], stdin=f,
                stdout=subprocess.PIPE, check=True).stdout
        with open(c.path("stdin.p7s"), "wb") as f:
            f.write(out)
        assert openssl_verify(c, c.file, c.path("stdin.p7s")).returncode == 0
        r = c.sign(c.file, "--digest", "sha512", "--force", check=False)
        assert r.returncode == 1 and "signs sha256" in r.stderr, r
        c.sign(c.file, "--digest", "sha256", "--force")
        r = c.sign(c.path("missing"), check=False)
        assert r.returncode == 1 and "No such file" in r.stderr, r
        assert not os.path.exists(c.path("missing.p7s"))


def test_a_large_file_is_streamed(build):
    with Signing(build).up() as c:
        big = c.path("big")
        with open(big, "wb") as f:
            f.truncate(1 << 30)
        r = subprocess.run(
            [c.bin("mica"), "--config", c.conf, "sign", big],
            preexec_fn=lambda: resource.setrlimit(
                resource.RLIMIT_AS, (256 << 20, 256 << 20))
            if "san" not in build else None,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            check=False)
        assert r.returncode == 0, r
        assert c.good(big, big + ".p7s").returncode == 0


def test_what_is_signed_is_on_record(build):
    with Signing(build).up() as c:
        c.sign(c.file)
        digest = run("sha256sum", c.file).stdout.split()[0]
        with open(c.file + ".p7s", "rb") as f:
            cms = run("sha256sum", c.file + ".p7s").stdout.split()[0]
            assert f.read(1) == b"\x30"
        text = c.audit()
        assert "code.begin" in text and "code.sign" in text
        assert f"sha256 {digest}" in text and "firmware.bin" in text
        assert f"CMS of sha256 {cms}" in text
        assert c.metrics()["mica_code_signatures_total"] == 1


def test_a_certificate_is_kept_and_a_revoked_one_is_not_replaced(build):
    with Signing(build).up() as c:
        first = c.json("code", "list")["code"][0]
        assert first["device"] == "code:p256"
        c.stop()
        c.start()
        wait_for("the certificate", lambda: c.json(
            "code", "list")["code"][0].get("serial"))
        assert c.json("code", "list")["code"][0]["serial"] == first["serial"]
        p7s, crl = c.path("before.p7s"), c.path("crl")
        c.sign(c.file, "-o", p7s)
        c.mica("crl", "generate")
        run("curl", "-sf", "-o", crl,
            f"http://127.0.0.1:{c.http}/crl/factory.crl")
        assert c.good(c.file, p7s, "--crl", crl).returncode == 0
        c.mica("revoke", "--serial", first["serial"], "--reason",
               "keyCompromise")
        r = c.sign(c.file, check=False)
        assert r.returncode == 1 and "revoked" in r.stderr, r
        assert not os.path.exists(c.file + ".p7s")
        c.mica("crl", "generate")
        run("curl", "-sf", "-o", crl,
            f"http://127.0.0.1:{c.http}/crl/factory.crl")
        r = c.good(c.file, p7s, "--crl", crl)
        assert r.returncode == 5 and "revoked" in r.stderr, r
        assert c.good(c.file, p7s, "--crl", c.file).returncode == 5
        c.stop()
        c.start()
        wait_for("its failure", lambda: "revoked" in c.json(
            "code", "list")["code"][0].get("failure", ""))
        assert any("code key p256 has no certificate" in w
                   for w in c.json("status")["warnings"])


def test_a_suspended_code_key_signs_no_more(build):
    with Signing(build).up() as c:
        c.mica("device", "suspend", "code:p256")
        r = c.sign(c.file, check=False)
        assert r.returncode == 1 and "held" in r.stderr, r
        c.mica("device", "resume", "code:p256")
        c.sign(c.file)


def test_nobody_else_gets_such_a_certificate(build):
    with Signing(build).up() as c:
        c.key("mine")
        c.csr("mine", "/CN=code:p256")
        r = c.mica("cert", "issue", "--csr", c.path("mine.csr"), "--profile",
                   "code-signing", "--device", "mine", check=False)
        assert r.returncode == 1 and "no authority issues" in r.stderr, r


def test_a_certificate_is_renewed_before_it_ends(build):
    with Signing(build).up() as c:
        first = c.json("code", "list")["code"][0]["serial"]
        for days, renewed in ((240, False), (250, True)):
            c.stop()
            c.clock_shift = days * 86400
            c.up()
            now = c.json("code", "list")["code"][0]["serial"]
            assert (now != first) == renewed, (days, first, now)
        c.sign(c.file)
        assert c.json("cert", "show", first)["state"] == "issued"
        on_record = c.json("cert", "list", "--device", "code:p256")
        assert len(on_record["certificates"]) == 2, on_record


def test_a_code_key_comes_with_sighup(build):
    with Signing(build) as c:
        with open(c.conf) as f:
            text = f.read()
        with open(c.conf, "w") as f:
            f.write(text[:text.rindex("\ncode:")])
        c.start()
        assert c.json("code", "list")["code"] == []
        r = c.sign(c.file, check=False)
        assert r.returncode == 1 and "no code keys" in r.stderr, r
        with open(c.conf, "w") as f:
            f.write(text)
        c.process.send_signal(signal.SIGHUP)
        wait_for("the code key", lambda: any(
            k.get("serial") for k in c.json("code", "list")["code"]))
        c.sign(c.file)


def test_the_api_takes_what_it_should_and_no_more(build):
    digest = "00" * 32

    def ask(c, **more):
        body = {"key": "p256", "algorithm": "sha256", "digest": digest,
                "size": 1, "file": "f"}
        body.update(more)
        body = {k: v for k, v in body.items() if v is not None}
        return json.loads(run(
            "curl", "-s", "--unix-socket",
            os.path.join(c.home, "admin.sock"), "-d", json.dumps(body),
            "http://localhost/v1/code").stdout)

    with Signing(build).up() as c:
        for clause, more in (
                ("digest: want 32 octets", {"digest": digest[2:]}),
                ("digest: want 32 octets", {"digest": "zz" * 32}),
                ("signs sha256", {"algorithm": "sha512"}),
                ("signs sha256", {"algorithm": "md5"}),
                ("no code key other", {"key": "other"}),
                ("printable", {"file": "a\nb"}),
                ("printable", {"file": ""}),
                ("printable", {"file": "x" * 129}),
                ("size: under 0", {"size": -1}),
                ("size", {"size": None}),
                ("tbs", {"tbs": "00"})):
            answer = ask(c, **more)
            assert clause in answer["error"]["text"], (more, answer)
        assert "code.begin" not in c.audit()
        assert ask(c, key=None, file="x" * 128)["algorithm"] == "sha256"
