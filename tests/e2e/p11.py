"""Tokens for tests: SoftHSM's, behind the module that fails on purpose
(tests/p11). fault.h says what can be steered and what is counted."""

import mmap
import os
import re
import struct

from harness import Skip, need, run

PIN, SO_PIN = "2468-1357", "8642-7531"
HERE = os.path.dirname(os.path.abspath(__file__))
HEADER = os.path.join(HERE, "..", "p11", "fault.h")
SOFTHSM = ("/usr/lib/softhsm/libsofthsm2.so",
           "/usr/lib64/softhsm/libsofthsm2.so",
           "/usr/local/lib/softhsm/libsofthsm2.so")
PATH_MAX, SLOTS = 248, 32
MAGIC = b"mica p11 fault 1"

CKR_PIN_INCORRECT = 0xa0
CKR_PIN_LOCKED = 0xa4
CKR_CRYPTOKI_NOT_INITIALIZED = 0x190


def names(enum):
    """Of an enum in fault.h: name, in lower case and without FAULT_, to its
    place."""
    with open(HEADER) as f:
        body = re.search(r"enum %s \{(.*?)\}" % enum, f.read(), re.S).group(1)
    body = re.sub(r"/\*.*?\*/", "", body, flags=re.S)
    return {n.lower(): i for i, n in
            enumerate(re.findall(r"FAULT_(\w+)", body))}


def softhsm():
    for path in SOFTHSM:
        if os.path.exists(path):
            return path
    raise Skip("SoftHSM is not installed")


class Token:
    """A token in c's folder with the keys that import_key() brings."""

    def __init__(self, c):
        need("softhsm2-util", "pkcs11-tool")
        self.real = softhsm()
        self.module = os.path.join(c.build, "tests", "p11", "fault.so")
        if not os.path.exists(self.module):
            raise Skip("make check has not built tests/p11/fault.so")
        self.c = c
        self.dir = c.path("token")
        os.makedirs(os.path.join(self.dir, "objects"))
        self.conf = os.path.join(self.dir, "softhsm2.conf")
        with open(self.conf, "w") as f:
            f.write(f"directories.tokendir = {self.dir}/objects\n"
                    "objectstore.backend = file\nlog.level = ERROR\n")
        self.env = dict(os.environ, SOFTHSM2_CONF=self.conf)
        run("softhsm2-util", "--init-token", "--free", "--label", "mica",
            "--so-pin", SO_PIN, "--pin", PIN, env=self.env)
        self.wants, self.dids = names("fault_want"), names("fault_did")
        self.control = os.path.join(self.dir, "control")
        with open(self.control, "wb") as f:
            f.write(MAGIC + self.real.encode().ljust(PATH_MAX, b"\0") +
                    self.conf.encode().ljust(PATH_MAX, b"\0") +
                    bytes(16 * SLOTS))
        with open(self.control, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 0)
        self.env["MICA_P11_FAULT"] = self.control

    def want(self, name, value):
        struct.pack_into("=Q", self.map,
                         512 + 8 * self.wants[name], value)

    def wanted(self, name):
        return struct.unpack_from("=Q", self.map,
                                  512 + 8 * self.wants[name])[0]

    def did(self, name):
        return struct.unpack_from("=Q", self.map,
                                  512 + 8 * (SLOTS + self.dids[name]))[0]

    def tool(self, *argv):
        """pkcs11-tool, logged in, past the module that fails."""
        return run("pkcs11-tool", "--module", self.real, "--token-label",
                   "mica", "--login", "--pin", PIN, *argv, env=self.env).stdout

    def import_key(self, pem, label, id_hex="01"):
        run("softhsm2-util", "--import", pem, "--token", "mica", "--label",
            label, "--id", id_hex, "--pin", PIN, env=self.env)

    def give(self):
        """Started as root, the signer is another user."""
        if os.geteuid() == 0:
            run("chown", "-R", "mica-signer", self.dir)

    def key_conf(self, label="issuing", more=""):
        pin = os.path.join(self.c.home, "keys", "pin")
        with open(pin, "w") as f:
            f.write(PIN + "\n")
        os.chmod(pin, 0o600)
        if os.geteuid() == 0:
            run("chown", "mica-signer", pin)
        return (f'{{ uri: "pkcs11:token=mica;object={label}", '
                f'module: {self.module}, pin: pin{more} }}')
