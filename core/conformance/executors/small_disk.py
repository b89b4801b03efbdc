# SPDX-License-Identifier: MIT OR Apache-2.0
"""A disk that is soon full: a tmpfs of 64 KB, which takes root."""

import subprocess


def mount(folder):
    """Whether there is one now."""
    return subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], stderr=subprocess.DEVNULL).returncode == 0


def unmount(folder):
    subprocess.run(["umount", folder], check=True)


def fill(path):
    """Leaves no room on the disk, in a file that gives it back when it goes."""
    with path.open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(1024))
        except OSError:
            pass
