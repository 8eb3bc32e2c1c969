"""A SoftHSM token behind the module that fails on purpose (tests/p11). fault.h
says what can be steered and what is counted."""

import mmap
import os
import re
import struct

import softhsm
from harness import Skip

HERE = os.path.dirname(os.path.abspath(__file__))
HEADER = os.path.join(HERE, "..", "p11", "fault.h")
ENV = "MICA_P11_FAULT"
MAGIC, PATH_MAX, SLOTS = b"mica p11 fault 1", 248, 32
NUMBERS = len(MAGIC) + 2 * PATH_MAX

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


class FaultToken(softhsm.Token):
    def __init__(self, build):
        super().__init__()
        self.real = self.module
        self.module = os.path.join(build, "tests", "p11", "fault.so")
        if not os.path.exists(self.module):
            raise Skip("make check has not built tests/p11/fault.so")
        self.wants, self.dids = names("fault_want"), names("fault_did")

    def __enter__(self):
        super().__enter__()
        self.control = os.path.join(self.dir, "control")
        with open(self.control, "wb") as f:
            f.write(MAGIC + self.real.encode().ljust(PATH_MAX, b"\0") +
                    os.environ["SOFTHSM2_CONF"].encode().ljust(
                        PATH_MAX, b"\0") + bytes(16 * SLOTS))
        # Started as root, the signer is another user.
        os.chmod(self.control, 0o666)
        with open(self.control, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 0)
        os.environ[ENV] = self.control
        return self

    def __exit__(self, *args):
        del os.environ[ENV]
        self.map.close()
        super().__exit__(*args)

    def want(self, name, value):
        struct.pack_into("=Q", self.map, NUMBERS + 8 * self.wants[name], value)

    def wanted(self, name):
        return struct.unpack_from(
            "=Q", self.map, NUMBERS + 8 * self.wants[name])[0]

    def did(self, name):
        return struct.unpack_from(
            "=Q", self.map, NUMBERS + 8 * (SLOTS + self.dids[name]))[0]
