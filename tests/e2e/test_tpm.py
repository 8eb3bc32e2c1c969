"""Keys in a TPM 2.0: swtpm, the broker tpm2-abrmd on a message bus of our own,
and tpm2-pkcs11's module. Under --ci."""

import glob
import os
import shutil
import socket
import subprocess
import tempfile

import test_ocsp
from harness import Ca, Skip, need, run, sanitized, wait_for

USER_PIN, SO_PIN = "1357-tpm", "2468-tpm"
MODULES = "/usr/lib/*/pkcs11/libtpm2_pkcs11.so"
DEVICES = 6


def program(name):
    path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if path is None:
        raise Skip(f"{name} is not installed")
    return path


def two_ports():
    """The TPM's, and the one after it, on which it is told to start."""
    while True:
        with socket.socket() as a, socket.socket() as b:
            a.bind(("127.0.0.1", 0))
            try:
                b.bind(("127.0.0.1", a.getsockname()[1] + 1))
                return a.getsockname()[1]
            except OSError:
                pass


class Tpm:
    """A TPM and its broker, ended by their pids. The environment says where
    they are: a module has no other way to know."""

    def __init__(self):
        need("pkcs11-tool", "tpm2_ptool", "dbus-daemon", "swtpm")
        found = glob.glob(MODULES)
        if not found:
            raise Skip("libtpm2-pkcs11-1 is not installed")
        self.module, self.children = found[0], []
        self.abrmd = program("tpm2-abrmd")
        self.dir = tempfile.mkdtemp(prefix="mica-tpm.")
        self.store = os.path.join(self.dir, "store")
        os.makedirs(self.store)
        os.makedirs(self.dir + "/state")
        self.pin = os.path.join(self.dir, "pin")
        with open(self.pin, "w") as f:
            f.write(USER_PIN + "\n")
        os.chmod(self.pin, 0o600)
        tcti = "tabrmd:bus_type=system"
        self.before = dict(os.environ)
        self.bus = f"unix:path={self.dir}/bus"
        os.environ.update(DBUS_SYSTEM_BUS_ADDRESS=self.bus,
                          TPM2TOOLS_TCTI=tcti, TPM2_PKCS11_TCTI=tcti,
                          TPM2_PKCS11_STORE=self.store)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def __exit__(self, kind, value, trace):
        for p in reversed(self.children):
            p.terminate()
        for p in self.children:
            try:
                p.wait(10)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        os.environ.clear()
        os.environ.update(self.before)
        shutil.rmtree(self.dir, ignore_errors=True)

    def spawn(self, *argv):
        with open(os.path.join(self.dir, "log"), "a") as log:
            p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log,
                                 stderr=log)
        self.children.append(p)
        return p

    def start(self):
        port = two_ports()
        self.spawn(program("swtpm"), "socket", "--tpm2", "--tpmstate",
                   f"dir={self.dir}/state", "--ctrl",
                   f"type=tcp,port={port + 1}", "--server",
                   f"type=tcp,port={port}", "--flags",
                   "not-need-init,startup-clear")
        self.spawn(program("dbus-daemon"), "--session", "--nofork",
                   "--nopidfile", f"--address={self.bus}")
        wait_for("the bus", lambda: os.path.exists(self.dir + "/bus"), 10)
        root = ["--allow-root"] if os.geteuid() == 0 else []
        self.broker = self.spawn(
            self.abrmd, "--logger=stdout",
            f"--tcti=swtpm:host=127.0.0.1,port={port}", *root)

        def answers():
            assert self.broker.poll() is None, self.log()
            return run(program("tpm2_getrandom"), "--hex", "4",
                       check=False).returncode == 0
        wait_for("the TPM", answers, 20)
        return self

    def log(self):
        with open(os.path.join(self.dir, "log")) as f:
            return f.read()

    def ptool(self, *argv):
        return run("tpm2_ptool", *argv, "--path", self.store).stdout

    def make_token(self):
        self.ptool("init")
        self.ptool("addtoken", "--pid=1", f"--sopin={SO_PIN}",
                   f"--userpin={USER_PIN}", "--label=mica")

    def tool(self, *argv):
        return run("pkcs11-tool", "--module", self.module, "--token-label",
                   "mica", "--login", "--pin", USER_PIN, *argv).stdout


def test_the_issuing_key_lives_in_a_tpm(build):
    if not os.environ.get("MICA_TEST_CI"):
        raise Skip("a TPM is emulated under --ci alone")
    if os.geteuid() == 0:
        raise Skip("the TPM's store belongs to one user, and the signer is "
                   "another one where root starts it")
    if sanitized(build):
        raise Skip("tpm2-pkcs11 leaks, and the sanitizer ends the program")
    with Tpm() as t:
        t.make_token()
        with Ca(build, edit=test_ocsp.with_ocsp, init=(
                "--hsm", "--module", t.module, "--token", "mica",
                "--pin-file", t.pin)) as c:
            objects = t.tool("--list-objects", "--type", "privkey")
            assert "sensitive" in objects and "never extractable" in objects
            c.start()
            for i in range(DEVICES):
                _, pem = c.device(f"dev{i}")
                c.verify(pem)
                assert test_ocsp.status(c, pem) == "good"
            c.mica("revoke", "--file", pem, "--reason", "keyCompromise")
            # A CRL, which the TPM signs too.
            c.mica("crl", "generate")
            assert c.stop() == 0
