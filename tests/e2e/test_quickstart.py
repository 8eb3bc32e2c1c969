"""The newcomer's first command, with a build that is there already."""

import os
import re
import shutil
import socket
import stat
import tempfile

from harness import Skip, free_port, need, run
from softhsm import MODULES

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
PROGRAMS = ("mica", "micad", "mica-signer")


def checkout(build, top):
    """As after ./configure and make: nothing is left to be built."""
    shutil.copy(os.path.join(TOP, "quickstart"), top)
    os.mkdir(os.path.join(top, "build"))
    for name in PROGRAMS:
        shutil.copy(os.path.join(build, name), os.path.join(top, "build"))
    for name, text in (("configure.ac", ""), ("build/Makefile", "all:\n"),
                       ("configure", "")):
        with open(os.path.join(top, name), "w") as f:
            f.write(text)
    os.chmod(os.path.join(top, "configure"), 0o755)
    os.utime(os.path.join(top, "configure.ac"), (0, 0))


def is_free(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) != 0


def port_of_three():
    """One that two free ones follow."""
    while True:
        port = free_port()
        if port < 65534 and is_free(port + 1) and is_free(port + 2):
            return port


def quickstart(top, *argv):
    env = {k: v for k, v in os.environ.items() if k != "SOFTHSM2_CONF"}
    return run(os.path.join(top, "quickstart"), "--no-install", *argv,
               env=env).stdout


def test_the_issuing_key_is_in_softhsm_and_that_is_said(build):
    need("softhsm2-util", "pkcs11-tool", "curl")
    module = [m for m in MODULES if os.path.exists(m)]
    if not module:
        raise Skip("SoftHSM's module is not installed")
    with tempfile.TemporaryDirectory(prefix="mica-e2e-qs.") as top:
        os.chmod(top, 0o755)
        checkout(build, top)
        home = os.path.join(top, "demo")
        try:
            said = quickstart(top, "--port", str(port_of_three()))
            # Certificate and status, as openssl judges them.
            assert "sensor-1.pem: OK" in said, said
            assert "Response verify OK" in said and ": good" in said, said
            where = re.search(r'The issuing key: +in the SoftHSM token "mica" '
                              r"below (\S+),", said)
            assert where and os.path.isdir(where[1] + "/tokens"), said
            with open(os.path.join(home, "mica.yaml")) as f:
                assert 'uri: "pkcs11:token=mica;object=issuing"' in f.read()
            assert not os.path.exists(home + "/keys/issuing.key")
            with open(home + "/keys/hsm.pin") as f:
                pin = f.read().strip()
            assert pin not in said
            env = dict(os.environ, SOFTHSM2_CONF=where[1] + "/softhsm2.conf")
            seen = run("pkcs11-tool", "--module", module[0], "--token-label",
                       "mica", "--login", "--pin", pin, "--list-objects",
                       "--type", "privkey", env=env).stdout
            assert "never extractable" in seen and "sensitive" in seen, seen
            # Once more: the same CA, the next device.
            said = quickstart(top)
            assert "is running already" in said, said
            assert "sensor-2.pem: OK" in said, said
        finally:
            assert "stopped" in quickstart(top, "--stop")
            for f in (home + "/keys", home + "/hsm"):
                if os.path.exists(f):
                    assert stat.S_IMODE(os.stat(f).st_mode) == 0o700, f


def test_without_softhsm_the_issuing_key_is_a_file(build):
    with tempfile.TemporaryDirectory(prefix="mica-e2e-qs.") as top:
        os.chmod(top, 0o755)
        checkout(build, top)
        try:
            said = quickstart(top, "--no-hsm", "--port", str(port_of_three()))
            key = os.path.join(top, "demo", "keys", "issuing.key")
            assert f"The issuing key:   the file {key}" in said, said
            assert os.path.exists(key) and "sensor-1.pem: OK" in said
        finally:
            quickstart(top, "--stop")
