"""Keys that a token makes: what OpenSC's and GnuTLS's tools see of them, and
that nobody reads the private half."""

import os
import re
import tempfile

from harness import Ca, run, sanitized
from softhsm import Token
from test_ceremony import check_transcript

KINDS = ("p256", "p384", "ed25519", "rsa2048")


def create(build, token, folder, label, *more, check=True, pin=None):
    return run(os.path.join(build, "mica"), "key", "create", label, "--uri",
               token.uri(label), "--module", token.module, "--pin-file",
               pin or token.pin, "--transcript",
               os.path.join(folder, label + ".transcript"), *more,
               check=check, cwd=folder)


def private_keys(token):
    """By label: what pkcs11-tool says of each."""
    text = token.tool("--list-objects", "--type", "privkey").stdout
    found = {}
    for part in text.split("Private Key Object")[1:]:
        found[re.search(r"label: +(\S+)", part).group(1)] = part
    return found


def test_a_pin_in_the_uri_goes_nowhere(build):
    """Neither to the token nor, for an approval, on record."""
    with Token() as t, tempfile.TemporaryDirectory() as folder:
        p = run(os.path.join(build, "mica"), "key", "create", "k", "--uri",
                t.uri("k") + "?pin-value=2468", "--module", t.module,
                "--pin-file", t.pin, check=False, cwd=folder)
        assert p.returncode == 1 and "--pin-file" in p.stderr, p.stderr
        assert "2468" not in p.stdout + p.stderr
        assert private_keys(t) == {}


def test_keys_are_made_inside_and_cannot_leave(build):
    with Token() as t, tempfile.TemporaryDirectory() as folder:
        kinds = [k for k in KINDS if k != "ed25519" or not sanitized(build)]
        for kind in kinds:  # SoftHSM leaks at signatures of the one left out
            p = create(build, t, folder, kind, "--type", kind)
            assert "cannot be read" in p.stdout, p.stdout
            check_transcript(os.path.join(folder, kind + ".transcript"),
                             "CKA_NEVER_EXTRACTABLE    true",
                             "a signature by the key verifies", "SoftHSM")
        t.give()
        seen = private_keys(t)
        for kind in kinds:
            assert ("sensitive, always sensitive, never extractable, local"
                    in seen[kind]), seen[kind]
            usage = re.search(r"Usage: +(.*)", seen[kind]).group(1)
            assert usage.strip() == "sign", usage
            text = t.p11tool("--list-all",
                             t.uri(kind) + ";type=private").stdout
            flags = re.search(r"Flags: (.*)", text).group(1)
            for flag in ("CKA_PRIVATE", "CKA_NEVER_EXTRACTABLE",
                         "CKA_SENSITIVE"):
                assert flag in flags, text
            for flag in ("CKA_WRAP", "CKA_UNWRAP", "CKA_EXTRACTABLE;"):
                assert flag not in flags.replace("NEVER_EXTRACTABLE;", "")
            # Whoever is logged in and asks for the private half gets nothing.
            out = os.path.join(folder, kind + ".stolen")
            t.tool("--read-object", "--type", "privkey", "--label", kind,
                   "--output-file", out, check=False)
            assert not os.path.exists(out) or not os.path.getsize(out)
            p = t.p11tool("--export", t.uri(kind) + ";type=private",
                          check=False)
            assert "PRIVATE KEY" not in p.stdout, p.stdout
        # What mica says of a key is what the tool says of its public half.
        der = os.path.join(folder, "p256.der")
        t.tool("--read-object", "--type", "pubkey", "--label", "p256",
               "--output-file", der)
        out = run("openssl", "pkey", "-pubin", "-inform", "DER", "-in", der,
                  "-outform", "DER", "-out", der + "2")
        digest = run("openssl", "dgst", "-sha256", "-c", der + "2").stdout
        with open(os.path.join(folder, "p256.transcript")) as f:
            assert digest.split("= ")[1].strip() in f.read(), out.stdout


def test_a_key_decrypts_only_where_that_was_asked(build):
    with Token() as t, tempfile.TemporaryDirectory() as folder:
        create(build, t, folder, "ra", "--type", "rsa2048", "--decrypt")
        p = create(build, t, folder, "ec", "--decrypt", check=False)
        assert p.returncode == 1 and "only RSA keys" in p.stderr
        t.give()
        usage = re.search(r"Usage: +(.*)", private_keys(t)["ra"]).group(1)
        assert sorted(re.split(r"[ ,]+", usage.strip())) == \
            ["decrypt", "sign"], usage


def test_nothing_in_a_token_is_overwritten(build):
    with Token() as t, tempfile.TemporaryDirectory() as folder:
        create(build, t, folder, "one")
        t.give()
        before = private_keys(t)["one"]
        os.unlink(os.path.join(folder, "one.transcript"))
        p = create(build, t, folder, "one", check=False)
        assert p.returncode == 1 and "label already" in p.stderr, p.stderr
        number = re.search(r"ID: +(\S+)", before).group(1)
        escaped = "".join(f"%{number[i:i + 2]}"
                          for i in range(0, len(number), 2))
        p = run(os.path.join(build, "mica"), "key", "create", "two", "--uri",
                t.uri("two") + ";id=" + escaped, "--module", t.module,
                "--pin-file", t.pin, check=False, cwd=folder)
        assert p.returncode == 1 and "id already" in p.stderr, p.stderr
        t.give()
        assert private_keys(t) == {"one": before}


def test_a_wrong_pin_is_tried_once(build):
    with Token() as t, tempfile.TemporaryDirectory() as folder:
        wrong = os.path.join(folder, "wrong")
        with open(wrong, "w") as f:
            f.write("0000\n")
        p = create(build, t, folder, "one", check=False, pin=wrong)
        assert p.returncode == 1 and p.stderr.count("CKR_PIN") == 1, p.stderr
        assert private_keys(t) == {}
        assert not os.path.exists(os.path.join(folder, "one.transcript"))


def test_a_root_and_an_authority_live_in_tokens(build):
    """Every step of the ceremony, with the keys where nobody reads them."""
    with Token() as t, tempfile.TemporaryDirectory() as folder:
        def path(name):
            return os.path.join(folder, name)

        def ceremony(*argv):
            with open(t.pin) as f:
                run(os.path.join(build, "mica-signer"), "--ceremony", *argv,
                    stdin=f.read(), cwd=folder)

        create(build, t, folder, "root", "--type", "p384")
        create(build, t, folder, "issuing")
        ceremony("root", "--key", t.uri("root"), "--module", t.module,
                 "--passphrase-fd", "0", "--subject", "O=Example",
                 "--subject", "CN=Root", "--validity", "20y", "--out",
                 path("root.pem"))
        ceremony("request", "--key", t.uri("issuing"), "--module", t.module,
                 "--passphrase-fd", "0", "--subject", "O=Example",
                 "--subject", "CN=Issuing", "--path-length", "0", "--out",
                 path("req.pem"))
        ceremony("sign", "--issuer-key", t.uri("root"), "--issuer-module",
                 t.module, "--issuer-passphrase-fd", "0", "--issuer-cert",
                 path("root.pem"), "--request", path("req.pem"),
                 "--validity", "10y", "--path-length", "0", "--out",
                 path("issuing.pem"), "--yes")
        ceremony("check-key", "--key", t.uri("issuing"), "--module", t.module,
                 "--passphrase-fd", "0", "--cert", path("issuing.pem"))
        ceremony("crl", "--issuer-key", t.uri("root"), "--issuer-module",
                 t.module, "--issuer-passphrase-fd", "0", "--issuer-cert",
                 path("root.pem"), "--number", "1", "--validity", "1y",
                 "--revoked", "/dev/null", "--out", path("root.crl"))
        run("openssl", "crl", "-inform", "DER", "-in", path("root.crl"),
            "-out", path("crl.pem"))
        run("openssl", "verify", "-x509_strict", "-crl_check", "-CRLfile",
            path("crl.pem"), "-CAfile", path("root.pem"), path("issuing.pem"))


def with_token(t, *more):
    return ("--hsm", "--module", t.module, "--pin-file", t.pin, *more)


def test_a_ca_is_made_in_a_token_and_serves_from_it(build):
    with Token() as t, Ca(build, init=with_token(t)) as c:
        assert not os.path.exists(os.path.join(c.home, "keys", "issuing.key"))
        check_transcript(os.path.join(c.home, "issuing.key.transcript"),
                         "CKA_NEVER_EXTRACTABLE    true")
        mode = os.stat(os.path.join(c.home, "keys", "hsm.pin")).st_mode
        assert mode & 0o777 == 0o600
        t.give()
        assert "never extractable" in private_keys(t)["issuing"]
        c.start()
        for kind in ("p256", "ed25519"):
            _, pem = c.device("meter-" + kind, kind)
            c.verify(pem)
        # Certified again by a ceremony while the daemon has the token open.
        request = c.path("again.pem")
        c.mica("authority", "request", "factory", "--out", request)
        run("openssl", "req", "-in", request, "-noout", "-verify")


def test_the_root_can_be_in_the_token_too(build):
    with Token() as t, Ca(build, init=with_token(t, "--root-hsm")) as c:
        assert not os.path.exists(os.path.join(c.home, "root"))
        t.give()
        assert sorted(private_keys(t)) == ["issuing", "root"]
        run("openssl", "verify", "-x509_strict", "-CAfile", c.root,
            os.path.join(c.home, "ca", "issuing.pem"))
        c.start()
        _, pem = c.device("meter-1")
        c.verify(pem)


def test_init_in_a_token_leaves_nothing_behind_when_it_fails(build):
    with Token() as t, tempfile.TemporaryDirectory() as folder:
        home = os.path.join(folder, "ca")
        wrong = os.path.join(folder, "wrong")
        with open(wrong, "w") as f:
            f.write("0000\n")
        p = run(os.path.join(build, "mica"), "init", home, "--hsm",
                "--module", t.module, "--pin-file", wrong, check=False)
        assert p.returncode == 1 and "CKR_PIN" in p.stderr, p.stderr
        assert not os.path.exists(home)
        t.give()
        assert private_keys(t) == {}


def test_an_offline_root_in_a_token(build):
    with Token() as t, tempfile.TemporaryDirectory() as folder:
        def mica(*argv):
            return run(os.path.join(build, "mica"), *argv, cwd=folder)

        def path(name):
            return os.path.join(folder, name)

        root = ("--key", t.uri("root"), "--module", t.module, "--pin-file",
                t.pin)
        mica("authority", "root", "off", *root)
        check_transcript(path("off/root.key.transcript"),
                         "CKA_NEVER_EXTRACTABLE    true")
        check_transcript(path("off/root.transcript"), t.uri("root"))
        assert not os.path.exists(path("off/root.key"))
        mica("init", "on", "--root", "off/root.pem")
        mica("authority", "sign", "on/issuing.req.pem", "--out", "signed.pem",
             "--file", "off/root.pem", "--yes", *root)
        mica("authority", "crl", "--out", "root.crl", "--file",
             "off/root.pem", *root)
        mica("--config", "on/mica.yaml", "authority", "install", "factory",
             "signed.pem", "--crl", "root.crl")
        run("openssl", "verify", "-x509_strict", "-CAfile",
            path("off/root.pem"), path("on/ca/issuing.pem"))
