"""Where the public files of a run lie: bundles, sealed transcripts, documents; in a folder, or behind a URL."""

from fl_core.stores.folder import FolderStore
from fl_core.stores.objects import ObjectStore
from fl_core.stores.opening import open_store, stored_runs
from fl_core.stores.run_store import RunStore

__all__ = ["FolderStore", "ObjectStore", "RunStore", "open_store", "stored_runs"]
