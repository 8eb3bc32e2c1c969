"""The users that the daemon's processes run as when it is started as root."""

import contextlib
import pwd

from harness import run


@contextlib.contextmanager
def users():
    """Makes those that are missing, and removes them again."""
    made = []
    try:
        for user in ("mica", "mica-signer"):
            try:
                pwd.getpwnam(user)
            except KeyError:
                run("useradd", "--system", "--user-group", "--no-create-home",
                    "--shell", "/usr/sbin/nologin", user)
                made.append(user)
        yield
    finally:
        for user in made:
            run("userdel", user, check=False)
