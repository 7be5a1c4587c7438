"""Reading files that somebody else may have laid out: regular files of a bounded size, by no link, without waiting."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from fl_core.durable import reason
from fl_core.errors import BundleError

MAX_MANIFEST_BYTES = 1 << 20
MAX_DOCUMENT_BYTES = 1 << 26
MAX_TRANSCRIPT_BYTES = 1 << 31
MAX_BUNDLE_BYTES = 1 << 32
"""Of all files of a bundle together; what is larger is neither written nor read."""

_OPEN = (
    os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
)  # a pipe without a writer would wait for ever


def read_plain(path: Path, limit: int) -> bytes:
    """A regular file's bytes.

    Args:
        path: the file; its last part may be no link.
        limit: most bytes that it may have.

    Raises:
        OSError: there is none, or the system refuses.
        BundleError: it is a link, a folder, a pipe or a device, or larger; the message names it.
    """
    try:
        descriptor = os.open(path, _OPEN)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise BundleError(
                f"{path} is a link, and links are not followed: put the file itself there"
            ) from error
        if error.errno == errno.ENXIO:  # a socket
            raise BundleError(f"{path} is no regular file: {reason(error)}") from error
        raise
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise BundleError(f"{path} is no regular file: nothing else is read")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = b"" if found.st_size > limit else file.read(limit + 1)
    finally:
        os.close(descriptor)
    if max(found.st_size, len(data)) > limit:
        raise BundleError(f"{path} is larger than the {limit:,} bytes that such a file may have")
    return data


def require_own_folder(folder: Path) -> None:
    """Refuse a folder that is a link: it would lead out of the one that it is in.

    Raises:
        BundleError: it is one.
    """
    if folder.is_symlink():
        raise BundleError(f"{folder} is a link, and links are not followed: put the folder itself there")
