"""Training a population chunk by chunk, so that memory does not grow with it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fl_core.batched.convolutions import ConvolutionStack
from fl_core.batched.layers import LinearStack
from fl_core.batched.modules import ModuleStack
from fl_core.batched.population import NoiseOf, Population
from fl_core.batched.recycled import Recycled
from fl_core.batched.stack import Stack
from fl_core.errors import DataError, SpecError, TrainingError
from fl_core.models import Float32Array, ModelSpec, tensor_of
from fl_core.training import IntArray, LocalTraining, check_rows

Chunk = tuple[slice, Float32Array]

_CHUNK_BYTES = {"cpu": 16 << 20, "cuda": 256 << 20}
_LARGEST_CHUNK = {"cpu": 128, "cuda": 4096}


def train_batch(  # noqa: PLR0917 - as in train_local, for many
    spec: ModelSpec,
    start: Float32Array,
    features: Sequence[Float32Array],
    labels: Sequence[IntArray],
    training: LocalTraining,
    seeds: Sequence[int],
    learning_rates: Sequence[float] | None = None,
    device: str = "cpu",
) -> Float32Array:
    """The updates of all devices at once, float32 (N, d); arguments and errors as for `train_in_chunks`.

    Raises:
        TrainingError: some device's training diverged; the message names the first ones.
    """
    deltas = np.empty((len(features), len(start)), dtype=np.float32)
    for where, part in train_in_chunks(
        spec, start, features, labels, training, seeds, learning_rates, device
    ):
        deltas[where] = part
    diverged = np.flatnonzero(np.isnan(deltas[:, 0]))
    if len(diverged):
        named = ", ".join(map(str, diverged[:5])) + (", ..." if len(diverged) > 5 else "")
        raise TrainingError(
            f"local training diverged on {len(diverged)} of {len(deltas)} devices ({named}) at learning rate "
            f"{training.learning_rate}; lower it, or check the start model"
        )
    return deltas


def train_in_chunks(  # noqa: PLR0917
    spec: ModelSpec,
    start: Float32Array,
    features: Sequence[Float32Array],
    labels: Sequence[IntArray],
    training: LocalTraining,
    seeds: Sequence[int],
    learning_rates: Sequence[float] | None = None,
    device: str = "cpu",
    *,
    chunk: int | None = None,
    threads: int | None = None,
    noise: NoiseOf | None = None,
    memory: Recycled | None = None,
) -> Iterator[Chunk]:
    """What `train_local` gives for each device, to 1e-5, a chunk of devices at a time and in their order.

    Args:
        spec: the model.
        start: float32 (d,), the same for all.
        features: float32 (n_i, f) of each device.
        labels: int64 (n_i,) of each device.
        training: epochs, batches and steps.
        seeds: of each device's shuffling.
        learning_rates: each device's own, or None for that of `training`.
        device: where torch computes: "cpu", or "cuda" of some index.
        chunk: devices a chunk; by default as many as fit a core's share of the cache.
        threads: chunks that are trained at once; by default as many as torch is set to use, and 1 on a GPU.
        noise: gives the source of a chunk's noise, for per-record privacy: each step takes (a, d) samples, device by
            device, for the devices that still step, most rows first. By default each is keyed by the operating system.
        memory: what chunks are held in on the CPU; by default the chunks of this call share some of their own.

    Yields:
        The devices as a slice of the sequences, and their changes, float32 (c, d). Where a device's training diverged
        its row is all NaN: that device has no update, the others have theirs.

    Raises:
        SpecError: lengths, shapes or types that do not fit.
        DataError: a device without rows, or with labels that the model does not have.
    """
    flat = tensor_of(spec, start).to(device)
    for x, y in zip(features, labels, strict=False):
        if x.dtype != np.float32 or x.ndim != 2 or x.shape[1] != spec.features:
            raise SpecError(
                f"features of {x.dtype} {x.shape} for a model of {spec.features} float32 features"
            )
        if len(y) != len(x) or len(y) == 0 or y.dtype != np.int64:
            check_rows(spec, x, y)
    if features:
        every = np.concatenate(labels)
        if every.min() < 0 or every.max() >= spec.classes:
            raise DataError(
                f"labels reach {every.min()}..{every.max()}, but the model has {spec.classes} classes"
            )

    def stack(devices: int, memory: Recycled) -> Stack[Any]:
        return (ConvolutionStack if spec.kind == "conv1d" else LinearStack)(spec, flat, devices, memory)

    return _in_order(
        Population(
            stack,
            features,
            labels,
            training,
            seeds,
            learning_rates,
            torch.device(device),
            noise,
            memory or Recycled(),
        ),
        _chunk_size(chunk, len(start), device),
        threads,
    )


def train_modules_in_chunks(  # noqa: PLR0917
    module: nn.Module,
    features: Sequence[NDArray[np.float32]],
    labels: Sequence[IntArray],
    training: LocalTraining,
    seeds: Sequence[int],
    learning_rates: Sequence[float] | None = None,
    device: str = "cpu",
    *,
    chunk: int | None = None,
    threads: int | None = None,
    noise: NoiseOf | None = None,
    memory: Recycled | None = None,
) -> Iterator[Chunk]:
    """`train_in_chunks` for any module that gives logits (n, K) for rows float32 (n, ...), through torch.func.

    The start are the module's parameters; updates have the order of its `named_parameters`. Modules with dropout or
    running statistics do not work.
    """
    for x, y in zip(features, labels, strict=False):
        if len(x) != len(y) or len(y) == 0:
            raise DataError(
                f"{len(x)} rows with {len(y)} labels: each device needs at least one row, and as many labels"
            )
    placed = module.to(device)

    def stack(devices: int, memory: Recycled) -> Stack[Any]:
        return ModuleStack(placed, devices, memory)

    return _in_order(
        Population(
            stack,
            features,
            labels,
            training,
            seeds,
            learning_rates,
            torch.device(device),
            noise,
            memory or Recycled(),
        ),
        _chunk_size(chunk, sum(parameter.numel() for parameter in placed.parameters()), device),
        threads,
    )


def _chunk_size(chunk: int | None, dim: int, device: str) -> int:
    """Devices a chunk: parameters that stay in a cache, but enough of them that Python's part does not show."""
    if chunk is not None:
        if chunk < 1:
            raise SpecError(f"chunks of {chunk} devices: at least 1 is needed")
        return chunk
    kind = torch.device(device).type
    return max(4, min(_LARGEST_CHUNK[kind], _CHUNK_BYTES[kind] // (4 * dim)))


def _in_order(population: Population, chunk: int, threads: int | None) -> Iterator[Chunk]:
    """Check the population before any work, then train its chunks, some of them ahead of whoever takes them."""
    population.require_lengths()
    if threads is None:
        threads = torch.get_num_threads() if population.device.type == "cpu" else 1
    slices = [slice(begin, min(begin + chunk, len(population))) for begin in range(0, len(population), chunk)]
    return _one_by_one(population, slices) if threads <= 1 else _ahead(population, slices, threads)


def _one_by_one(population: Population, slices: Sequence[slice]) -> Iterator[Chunk]:
    for where in slices:
        yield where, population.train(where)


def _ahead(population: Population, slices: Sequence[slice], threads: int) -> Iterator[Chunk]:
    """At most `threads` chunks are in work and one more waits, so that memory holds no more than that."""
    waiting: deque[tuple[slice, Future[Float32Array]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for where in slices:
                waiting.append((where, pool.submit(population.train, where)))
                if len(waiting) > threads:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            for _, future in waiting:
                future.cancel()
