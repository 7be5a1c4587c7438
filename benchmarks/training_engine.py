"""How fast a population of devices trains in chunks: against a loop over devices, and against matrix products alone."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from fl_core.batched import Recycled, train_in_chunks
from fl_core.models import Float32Array, ModelSpec, build, initial_vector, parameter_count
from fl_core.record_privacy import RecordPrivacy
from fl_core.threads import one_thread
from fl_core.training import IntArray, LocalTraining, train_local

_FLOOR_CHUNKS = (4, 8, 16, 32)
_ALIGNMENT = 8
_PRIVATE_LOOP_DEVICES = 200


@dataclass(frozen=True)
class EngineFigures:
    """Seconds for one round of all devices; wall clock unless `cpu` is in the name; medians of interleaved repeats.

    Attributes:
        devices: devices that train.
        rows: rows of each; one batch.
        parameters: of the model.
        epochs: local epochs.
        record_privacy: whether every step clips each row's gradient and adds noise.
        threads: chunks trained at once.
        s_per_round: the engine, from lists of rows to every device's float32 update, chunk by chunk, in memory that it
            has used before: in a second round.
        cpu_s: its CPU seconds.
        floor_s: the same batched matrix products on buffers that are there already, aligned, in the fastest of several
            chunk sizes, on as many threads; with privacy also as many normal samples from torch's generator.
        floor_cpu_s: its CPU seconds.
        ratio: s_per_round / floor_s.
        cpu_ratio: cpu_s / floor_cpu_s.
        loop_s: a loop over devices: `train_local`; with privacy Opacus with one module reused, noise from torch's
            generator, measured on `loop_devices` and scaled.
        module_loop_s: a loop of torch module, loss and optimiser, one thread; with privacy `train_local`, which builds
            an Opacus module a device.
        loop_cpu_s: CPU seconds of the first loop.
        module_loop_cpu_s: CPU seconds of the second one.
        loop_devices: devices that the loops were measured on.
        speedup: loop_s / s_per_round.
        module_speedup: module_loop_s / s_per_round.
        cpu_speedup: loop_cpu_s / cpu_s: what is left of the speed-up without the second core.
        repeats: measurements that medians are of.
    """

    devices: int
    rows: int
    parameters: int
    epochs: int
    record_privacy: bool
    threads: int
    s_per_round: float
    cpu_s: float
    floor_s: float
    floor_cpu_s: float
    ratio: float
    cpu_ratio: float
    loop_s: float
    module_loop_s: float
    loop_cpu_s: float
    module_loop_cpu_s: float
    loop_devices: int
    speedup: float
    module_speedup: float
    cpu_speedup: float
    repeats: int

    def to_json(self) -> dict[str, Any]:
        """The figures as a JSON object."""
        return asdict(self)


def measure_engine(
    *,
    devices: int = 1000,
    rows: int = 8,
    hidden: tuple[int, ...] = (128, 64),
    features: int = 561,
    classes: int = 6,
    epochs: int = 1,
    record_privacy: bool = False,
    repeats: int = 5,
) -> EngineFigures:
    """Measure one configuration on made-up rows; each repeat measures everything once, one after the other.

    Args:
        devices: devices a round.
        rows: rows a device, trained on as one batch.
        hidden: hidden layers; none for multinomial logistic regression.
        features: features of a row.
        classes: classes.
        epochs: local epochs.
        record_privacy: per-record DP-SGD in every step.
        repeats: measurements to take the median of.
    """
    spec = ModelSpec("mlp" if hidden else "logistic", features, classes, hidden)
    training = LocalTraining(
        epochs=epochs,
        batch_size=rows,
        learning_rate=0.05,
        record_privacy=RecordPrivacy() if record_privacy else None,
    )
    rng = np.random.default_rng(0)
    work = _Work(
        spec,
        training,
        initial_vector(spec, 0),
        [rng.normal(size=(rows, features)).astype(np.float32) for _ in range(devices)],
        [rng.integers(0, classes, rows) for _ in range(devices)],
        torch.get_num_threads(),
    )
    floors = {chunk: _floor(work, chunk) for chunk in _FLOOR_CHUNKS if chunk <= max(4, devices)}
    some = min(devices, _PRIVATE_LOOP_DEVICES) if record_privacy else devices
    contestants: dict[str, Callable[[], None]] = {
        "engine": lambda: _drain(_engine(work)),
        "loop": lambda: _reused_opacus(work, some) if record_privacy else _local_loop(work, some),
        "module": lambda: _local_loop(work, some) if record_privacy else _module_loop(work, some),
        **{f"floor {chunk}": floor for chunk, floor in floors.items()},
    }
    wall: dict[str, list[float]] = {name: [] for name in contestants}
    cpu: dict[str, list[float]] = {name: [] for name in contestants}
    for repeat in range(repeats + 1):
        for name, run in contestants.items():
            begin, begin_cpu = time.perf_counter(), time.process_time()
            run()
            if repeat:  # the first one warms up
                wall[name].append(time.perf_counter() - begin)
                cpu[name].append(time.process_time() - begin_cpu)
    seconds = {name: statistics.median(values) for name, values in wall.items()}
    cpu_seconds = {name: statistics.median(values) for name, values in cpu.items()}
    floor_s = min(seconds[f"floor {chunk}"] for chunk in floors)
    floor_cpu_s = min(cpu_seconds[f"floor {chunk}"] for chunk in floors)
    loop_s, module_s = (seconds[name] * devices / some for name in ("loop", "module"))
    loop_cpu_s, module_cpu_s = (cpu_seconds[name] * devices / some for name in ("loop", "module"))
    return EngineFigures(
        devices=devices,
        rows=rows,
        parameters=parameter_count(spec),
        epochs=epochs,
        record_privacy=record_privacy,
        threads=work.threads,
        s_per_round=seconds["engine"],
        cpu_s=cpu_seconds["engine"],
        floor_s=floor_s,
        floor_cpu_s=floor_cpu_s,
        ratio=seconds["engine"] / floor_s,
        cpu_ratio=cpu_seconds["engine"] / floor_cpu_s,
        loop_s=loop_s,
        module_loop_s=module_s,
        loop_cpu_s=loop_cpu_s,
        module_loop_cpu_s=module_cpu_s,
        loop_devices=some,
        speedup=loop_s / seconds["engine"],
        module_speedup=module_s / seconds["engine"],
        cpu_speedup=loop_cpu_s / cpu_seconds["engine"],
        repeats=repeats,
    )


@dataclass(frozen=True, eq=False)
class _Work:
    spec: ModelSpec
    training: LocalTraining
    start: Float32Array
    features: list[Float32Array]
    labels: list[IntArray]
    threads: int
    memory: Recycled = field(default_factory=Recycled)


def _engine(work: _Work) -> Iterable[object]:
    seeds = range(len(work.features))
    return train_in_chunks(
        work.spec,
        work.start,
        work.features,
        work.labels,
        work.training,
        seeds,
        threads=work.threads,
        memory=work.memory,
    )


def _drain(items: Iterable[object]) -> None:
    for _ in items:
        pass


def _local_loop(work: _Work, devices: int) -> None:
    for index in range(devices):
        train_local(work.spec, work.start, work.features[index], work.labels[index], work.training, index)


def _module_loop(work: _Work, devices: int) -> None:
    """What anyone would write, with the module built once and its parameters put back for each device."""
    module = build(work.spec, work.start)
    origin = {name: value.clone() for name, value in module.state_dict().items()}
    with one_thread():
        for index in range(devices):
            module.load_state_dict(origin)
            optimiser = torch.optim.SGD(module.parameters(), lr=work.training.learning_rate)
            x, y = torch.from_numpy(work.features[index]), torch.from_numpy(work.labels[index])
            for _ in range(work.training.epochs):
                optimiser.zero_grad()
                torch.autograd.backward(nn.functional.cross_entropy(module(x), y))
                optimiser.step()
            _changes(module, work.start)


def _reused_opacus(work: _Work, devices: int) -> None:
    """Opacus' module and optimiser, built once; parameters are put back for each device."""
    from opacus import GradSampleModule  # noqa: PLC0415 - an extra
    from opacus.optimizers import DPOptimizer  # noqa: PLC0415

    privacy = work.training.record_privacy
    assert privacy is not None
    module = GradSampleModule(build(work.spec, work.start))
    origin = {name: value.clone() for name, value in module.state_dict().items()}
    optimiser = DPOptimizer(
        torch.optim.SGD(module.parameters(), lr=work.training.learning_rate),
        noise_multiplier=privacy.noise_multiplier,
        max_grad_norm=privacy.max_grad_norm,
        expected_batch_size=work.training.batch_size,
        generator=torch.Generator().manual_seed(0),
    )
    with one_thread():
        for index in range(devices):
            module.load_state_dict(origin)
            x, y = torch.tensor(work.features[index]).requires_grad_(), torch.from_numpy(work.labels[index])
            for _ in range(work.training.epochs):
                optimiser.zero_grad()
                torch.autograd.backward(nn.functional.cross_entropy(module(x), y))
                optimiser.step()
            _changes(module, work.start)


def _changes(module: nn.Module, start: Float32Array) -> Float32Array:
    flat = torch.cat([parameter.detach().reshape(-1) for parameter in module.parameters()])
    difference: Float32Array = flat.numpy() - start
    return difference


def _floor(work: _Work, chunk: int) -> Callable[[], None]:
    """The matrix products (and normal samples) of a round, on buffers of one chunk for each thread, made beforehand."""
    buffers = [_Buffers(work, chunk, thread) for thread in range(work.threads)]
    chunks = -(-len(work.features) // chunk)
    shares = [chunks // work.threads + (thread < chunks % work.threads) for thread in range(work.threads)]

    def run() -> None:
        with ThreadPoolExecutor(work.threads) as pool:
            _drain(pool.map(_Buffers.multiply, buffers, shares))

    return run


class _Buffers:
    """One thread's weights, activations and errors of a chunk of devices."""

    def __init__(self, work: _Work, chunk: int, seed: int) -> None:
        generator, rows = torch.Generator().manual_seed(seed), len(work.labels[0])

        def some(*shape: int) -> torch.Tensor:
            return torch.randn(shape, generator=generator) * 1e-3

        layers = work.spec.layers
        widths = [layers[0][0] + -layers[0][0] % _ALIGNMENT, *(outputs for _, outputs in layers)]
        self._weights = [some(chunk, after, before) for before, after in itertools.pairwise(widths)]
        self._values = [some(chunk, rows, width) for width in widths]
        self._errors = [some(chunk, rows, width) for width in widths]
        self._private = work.training.record_privacy is not None
        self._noise = torch.empty((chunk, parameter_count(work.spec)) if self._private else 0)
        self._generator, self._epochs = generator, work.training.epochs

    def multiply(self, chunks: int) -> None:
        """Forward, errors and weight gradients, for so many chunks."""
        values, errors, weights = self._values, self._errors, self._weights
        with one_thread(), torch.no_grad():
            for _ in range(chunks * self._epochs):
                for layer, weight in enumerate(weights):
                    torch.bmm(values[layer], weight.transpose(1, 2), out=values[layer + 1])
                for layer in range(len(weights) - 1, -1, -1):
                    if layer:
                        torch.bmm(errors[layer + 1], weights[layer], out=errors[layer])
                    weights[layer].baddbmm_(errors[layer + 1].transpose(1, 2), values[layer], alpha=-1e-6)
                if self._private:
                    self._noise.normal_(generator=self._generator)


if __name__ == "__main__":
    for private in (False, True):
        for passes in (1, 5):
            print(measure_engine(epochs=passes, record_privacy=private).to_json(), flush=True)
