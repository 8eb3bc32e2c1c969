"""A SoftHSM token in a folder of its own, that the signer can use: its files
belong to the user that mica-signer runs as."""

import os
import pwd
import shutil
import tempfile

from harness import Skip, need, run

MODULES = ("/usr/lib/softhsm/libsofthsm2.so",
           "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
           "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so")
PIN, SO_PIN = "2468-mica", "13571357"


class Token:
    """Token "mica"; SOFTHSM2_CONF is set while it lives."""

    def __init__(self, label="mica"):
        need("softhsm2-util", "pkcs11-tool", "p11tool")
        found = [m for m in MODULES if os.path.exists(m)]
        if not found:
            raise Skip("SoftHSM's module is not installed")
        self.module, self.label = found[0], label

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="mica-e2e-hsm.")
        os.chmod(self.dir, 0o755)
        self.tokens = os.path.join(self.dir, "tokens")
        self.pin = os.path.join(self.dir, "pin")
        os.mkdir(self.tokens, 0o700)
        conf = os.path.join(self.dir, "softhsm2.conf")
        with open(conf, "w") as f:
            f.write(f"directories.tokendir = {self.tokens}\n")
        with open(self.pin, "w") as f:
            f.write(PIN + "\n")
        os.chmod(self.pin, 0o600)
        self.before = os.environ.get("SOFTHSM2_CONF")
        os.environ["SOFTHSM2_CONF"] = conf
        run("softhsm2-util", "--init-token", "--free", "--label", self.label,
            "--pin", PIN, "--so-pin", SO_PIN)
        self.give()
        return self

    def __exit__(self, *args):
        if self.before is None:
            del os.environ["SOFTHSM2_CONF"]
        else:
            os.environ["SOFTHSM2_CONF"] = self.before
        shutil.rmtree(self.dir, ignore_errors=True)

    def give(self):
        """What the tools wrote as root, to the signer."""
        if os.geteuid() != 0:
            return
        try:
            user = pwd.getpwnam("mica-signer")
        except KeyError:
            return
        for folder, _, files in os.walk(self.tokens):
            for path in [folder] + [os.path.join(folder, f) for f in files]:
                os.chown(path, user.pw_uid, user.pw_gid)

    def uri(self, label):
        return f"pkcs11:token={self.label};object={label}"

    def tool(self, *argv, check=True):
        """OpenSC's pkcs11-tool, logged in."""
        p = run("pkcs11-tool", "--module", self.module, "--token-label",
                self.label, "--login", "--pin", PIN, *argv, check=check)
        self.give()
        return p

    def p11tool(self, *argv, check=True):
        """GnuTLS's p11tool, logged in."""
        p = run("p11tool", "--provider", self.module, "--login", "--set-pin",
                PIN, *argv, check=check)
        self.give()
        return p
