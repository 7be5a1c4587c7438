"""Models as flat float32 vectors: what travels, is hashed and is averaged.

The vector holds the parameters in the order of `named_parameters` of the module that `build` returns: layer
by layer the weight (out, in) in row-major order, then the bias (out,).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fl_core.canonical import sha256
from fl_core.errors import SpecError
from fl_core.threads import one_thread

Float32Array = NDArray[np.float32]
ModelKind = Literal["logistic", "mlp", "conv1d"]

_KINDS = ("logistic", "mlp", "conv1d")


@dataclass(frozen=True)
class ModelSpec:
    """Shape of a model.

    Attributes:
        kind: "logistic" (multinomial logistic regression), "mlp" (ReLU layers of the sizes in `hidden`), or "conv1d"
            (ReLU convolutions over time, their mean over time, then a linear layer).
        features: inputs d; for "conv1d" the samples of channel 0, then of channel 1, and so on.
        classes: outputs K, one logit each.
        hidden: sizes of the hidden layers, for "conv1d" their channels; empty for "logistic".
        channels: channels of a raw signal; 1 except for "conv1d".
        kernel: window of each convolution in samples; 1 except for "conv1d".
        stride: samples between windows; 1 except for "conv1d".
    """

    kind: ModelKind
    features: int
    classes: int
    hidden: tuple[int, ...] = ()
    channels: int = 1
    kernel: int = 1
    stride: int = 1

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise SpecError(f"unknown model {self.kind!r}; known: {', '.join(_KINDS)}")
        if self.features < 1:
            raise SpecError(f"a model of {self.features} features: at least 1 is needed")
        if self.classes < 2:
            raise SpecError(f"a model of {self.classes} classes: at least 2 are needed")
        if self.kind == "logistic" and self.hidden:
            raise SpecError(f"a logistic model has no hidden layers, got {self.hidden}; use mlp")
        if self.kind != "logistic" and (not self.hidden or min(self.hidden) < 1):
            raise SpecError(
                f"hidden layers {self.hidden}: {self.kind} needs at least one, each of at least 1 unit"
            )
        if self.kind != "conv1d" and (self.channels, self.kernel, self.stride) != (1, 1, 1):
            raise SpecError(
                f"channels, kernel and stride belong to conv1d, not to {self.kind}: leave them at 1"
            )
        if self.kind == "conv1d":
            self._check_signal()

    def _check_signal(self) -> None:
        if min(self.channels, self.kernel, self.stride) < 1 or self.features % self.channels:
            raise SpecError(
                f"{self.features} features as {self.channels} channels, kernel {self.kernel}, stride {self.stride}: "
                "each must be at least 1, and the channels of equal length"
            )
        if min(self.windows) < 1:
            raise SpecError(
                f"{len(self.hidden)} convolutions of kernel {self.kernel} do not fit a signal of "
                f"{self.features // self.channels} samples: take fewer, or a smaller kernel or stride"
            )

    @property
    def layers(self) -> tuple[tuple[int, int], ...]:
        """(inputs, outputs) of each layer's matrix; a convolution's inputs are one window of all channels."""
        if self.kind == "conv1d":
            channels = (self.channels, *self.hidden)
            convolutions = [(before * self.kernel, after) for before, after in itertools.pairwise(channels)]
            return (*convolutions, (self.hidden[-1], self.classes))
        sizes = (self.features, *self.hidden, self.classes)
        return tuple(itertools.pairwise(sizes))

    @property
    def windows(self) -> tuple[int, ...]:
        """Windows that each layer's matrix is applied to in one row of data: 1 for linear layers."""
        if self.kind != "conv1d":
            return (1,) * len(self.layers)
        samples = [self.features // self.channels]
        for _ in self.hidden:
            samples.append((samples[-1] - self.kernel) // self.stride + 1)
        return (*samples[1:], 1)

    def to_json(self) -> dict[str, Any]:
        """A JSON object that names the model."""
        return {
            "kind": self.kind,
            "features": self.features,
            "classes": self.classes,
            "hidden": list(self.hidden),
            "channels": self.channels,
            "kernel": self.kernel,
            "stride": self.stride,
        }


def build(spec: ModelSpec, vector: Float32Array | None = None) -> nn.Module:
    """The torch module; its parameters are those of `vector`, or of `initial_vector(spec, 0)`.

    Draws nothing from torch's global generator.
    """
    steps: list[nn.Module] = []
    for inputs, outputs in spec.layers[:-1]:
        steps += [_layer(spec, inputs, outputs), nn.ReLU()]
    if spec.kind == "conv1d":
        steps = [nn.Unflatten(1, (spec.channels, -1)), *steps, nn.AdaptiveAvgPool1d(1), nn.Flatten()]
    inputs, outputs = spec.layers[-1]
    module = nn.Sequential(*steps, nn.Linear(inputs, outputs, device="meta")).to_empty(device="cpu")
    flat = tensor_of(spec, initial_vector(spec, 0) if vector is None else vector)
    offset = 0
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(flat[offset : offset + parameter.numel()].view_as(parameter))
            offset += parameter.numel()
    return module


def _layer(spec: ModelSpec, inputs: int, outputs: int) -> nn.Module:
    if spec.kind == "conv1d":
        channels = inputs // spec.kernel
        return nn.Conv1d(channels, outputs, spec.kernel, spec.stride, device="meta")
    return nn.Linear(inputs, outputs, device="meta")


def from_vector(spec: ModelSpec, vector: Float32Array) -> nn.Module:
    """The torch module with these parameters."""
    return build(spec, vector)


def to_vector(module: nn.Module) -> Float32Array:
    """The parameters of a module as float32 (d,), contiguous."""
    with torch.no_grad():
        flat = torch.cat([parameter.detach().reshape(-1) for parameter in module.parameters()])
    return np.ascontiguousarray(flat.to(torch.float32).numpy())


def parameter_count(spec: ModelSpec) -> int:
    """Length of the model's vector."""
    return sum((inputs + 1) * outputs for inputs, outputs in spec.layers)


def initial_vector(spec: ModelSpec, seed: int) -> Float32Array:
    """Starting parameters, float32 (d,), the same for the same seed.

    A logistic model starts at zero (its loss is convex). The layers of the others are uniform in +-1/sqrt(inputs),
    as torch's own default, drawn from a generator of their own.
    """
    if spec.kind == "logistic":
        return np.zeros(parameter_count(spec), dtype=np.float32)
    generator = torch.Generator().manual_seed(seed)
    parts = [
        (torch.rand((inputs + 1) * outputs, generator=generator) * 2 - 1) / math.sqrt(inputs)
        for inputs, outputs in spec.layers
    ]
    return np.ascontiguousarray(torch.cat(parts).numpy())


def predict_logits(spec: ModelSpec, vector: Float32Array, features: Float32Array) -> Float32Array:
    """Logits, float32 (n, K), of features float32 (n, d).

    Raises:
        SpecError: a shape that does not fit the model.
    """
    with torch.no_grad(), one_thread():
        rows = features_tensor(spec, features)
        return np.ascontiguousarray(logits_of(spec, tensor_of(spec, vector), rows).numpy())


def logits_of(spec: ModelSpec, flat: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Logits (n, K) of rows (n, d) under flat parameters (p,), differentiable in both."""
    *before, (weight, bias) = layer_views(spec, flat)
    hidden = rows
    if spec.kind == "conv1d":
        hidden = _mean_activations(spec, before, rows)
    else:
        for hidden_weight, hidden_bias in before:
            hidden = torch.addmm(hidden_bias, hidden, hidden_weight.t()).relu_()
    return torch.addmm(bias, hidden, weight.t())


def _mean_activations(
    spec: ModelSpec, layers: list[tuple[torch.Tensor, torch.Tensor]], rows: torch.Tensor
) -> torch.Tensor:
    """What the convolutions make of rows (n, d): channel means over time, (n, channels)."""
    signal = rows.view(len(rows), spec.channels, -1)
    for weight, bias in layers:
        matrix = weight.view(len(weight), -1, spec.kernel)
        signal = nn.functional.conv1d(signal, matrix, bias, stride=spec.stride).relu_()
    return signal.mean(dim=2)


def model_digest(vector: Float32Array) -> bytes:
    """Identity of a model: SHA-256 of its parameters as little-endian float32, 32 bytes.

    Raises:
        SpecError: not a float32 vector.
    """
    if vector.dtype != np.float32 or vector.ndim != 1:
        raise SpecError(f"a model is a float32 vector, not {vector.dtype} of shape {vector.shape}")
    return sha256(vector.astype("<f4").tobytes())


def tensor_of(spec: ModelSpec, vector: Float32Array) -> torch.Tensor:
    """A fresh tensor of the vector's values, aligned as torch aligns: the kernels are the same every time.

    Raises:
        SpecError: not float32, or of another length than the model.
    """
    if vector.dtype != np.float32 or vector.shape != (parameter_count(spec),):
        raise SpecError(
            f"a vector of {vector.dtype} {vector.shape} "
            f"for a model of {parameter_count(spec)} float32 parameters"
        )
    return torch.tensor(vector)


def features_tensor(spec: ModelSpec, features: Float32Array) -> torch.Tensor:
    """A fresh, aligned float32 tensor (n, d) of the features.

    Raises:
        SpecError: not float32 (n, d).
    """
    if features.dtype != np.float32 or features.ndim != 2 or features.shape[1] != spec.features:
        raise SpecError(
            f"features of {features.dtype} {features.shape} for a model of {spec.features} float32 features"
        )
    return torch.tensor(features)


def layer_views(spec: ModelSpec, flat: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """(weight (out, in), bias (out,)) of each layer as views of the flat tensor."""
    views = []
    offset = 0
    for inputs, outputs in spec.layers:
        middle = offset + inputs * outputs
        views.append((flat[offset:middle].view(outputs, inputs), flat[middle : middle + outputs]))
        offset = middle + outputs
    return views
