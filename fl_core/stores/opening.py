"""From a URL to a run's store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fsspec

from fl_core.errors import BundleError
from fl_core.stores.folder import FolderStore
from fl_core.stores.objects import ObjectStore
from fl_core.stores.run_store import RunStore

_EXTRAS = {"s3": "fediomt[s3]", "s3a": "fediomt[s3]"}


def open_store(url: str | None, run: str, folder: Path) -> RunStore:
    """The store of a run.

    Args:
        url: where runs are kept, such as `s3://bucket/fediomt`; a path or `file://` URL for a folder; None for the
            run's own folder.
        run: the run's id, the last part of its place there.
        folder: the run's own folder.

    Raises:
        BundleError: an unknown kind of store, one whose client is not installed, or a URL that holds a secret.
    """
    if url is None:
        return FolderStore(folder)
    local = _local_folder(url)
    if local is not None:
        return FolderStore(local / run)
    files, root = _file_system(url)
    return ObjectStore(files, f"{root}/{run}", f"{url.rstrip('/')}/{run}")


def stored_runs(url: str) -> list[str]:
    """Ids of what is kept under a URL, in order; whether each is a run shows when it is read.

    Raises:
        BundleError: the store cannot be listed.
    """
    local = _local_folder(url)
    if local is not None:
        return sorted(path.name for path in local.iterdir() if path.is_dir()) if local.is_dir() else []
    files, root = _file_system(url)
    try:
        found = files.ls(root, detail=False) if files.exists(root) else []
    except Exception as error:  # clients of stores raise errors of their own, with no base in common
        raise BundleError(f"store {url}: cannot list it: {error}") from error
    return sorted(str(item).rstrip("/").rsplit("/", 1)[-1] for item in found)


def _local_folder(url: str) -> Path | None:
    if "://" not in url:
        return Path(url)
    return Path(url.removeprefix("file://")) if url.startswith("file://") else None


def _file_system(url: str) -> tuple[Any, str]:
    protocol, rest = url.split("://", 1)
    if "@" in rest or "?" in rest:  # it goes into run.json and into errors
        raise BundleError(
            f"a {protocol}:// store is named without user, password or query: leave those to the client's settings"
        )
    try:
        files, root = fsspec.core.url_to_fs(url)
    except ImportError as error:
        extra = _EXTRAS.get(protocol)
        install = f"pip install '{extra}'" if extra else str(error)
        raise BundleError(f"store {url}: the client for {protocol}:// is not installed: {install}") from error
    except Exception as error:  # as above; an unknown protocol is a ValueError
        raise BundleError(f"store {url}: {error}") from error
    return files, str(root).rstrip("/")
