"""Many devices trained at once: the same updates as `fl_core.training.train_local`, device by device, to 1e-5."""

from fl_core.batched.chunks import train_batch, train_in_chunks, train_modules_in_chunks
from fl_core.batched.recycled import Recycled

__all__ = ["Recycled", "train_batch", "train_in_chunks", "train_modules_in_chunks"]
