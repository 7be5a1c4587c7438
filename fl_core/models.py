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
ModelKind = Literal["logistic", "mlp"]


@dataclass(frozen=True)
class ModelSpec:
    """Shape of a model.

    Attributes:
        kind: "logistic" (multinomial logistic regression) or "mlp" (ReLU layers of the sizes in `hidden`).
        features: inputs d.
        classes: outputs K, one logit each.
        hidden: sizes of the hidden layers; empty for "logistic".
    """

    kind: ModelKind
    features: int
    classes: int
    hidden: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in ("logistic", "mlp"):
            raise SpecError(f"unknown model {self.kind!r}; known: logistic, mlp")
        if self.features < 1:
            raise SpecError(f"a model of {self.features} features: at least 1 is needed")
        if self.classes < 2:
            raise SpecError(f"a model of {self.classes} classes: at least 2 are needed")
        if self.kind == "logistic" and self.hidden:
            raise SpecError(f"a logistic model has no hidden layers, got {self.hidden}; use mlp")
        if self.kind == "mlp" and (not self.hidden or min(self.hidden) < 1):
            raise SpecError(
                f"hidden layers {self.hidden}: an mlp needs at least one, each of at least 1 unit"
            )

    @property
    def layers(self) -> tuple[tuple[int, int], ...]:
        """(inputs, outputs) of each linear layer."""
        sizes = (self.features, *self.hidden, self.classes)
        return tuple(itertools.pairwise(sizes))

    def to_json(self) -> dict[str, Any]:
        """A JSON object that names the model."""
        return {
            "kind": self.kind,
            "features": self.features,
            "classes": self.classes,
            "hidden": list(self.hidden),
        }


def build(spec: ModelSpec, vector: Float32Array | None = None) -> nn.Module:
    """The torch module; its parameters are those of `vector`, or of `initial_vector(spec, 0)`.

    Draws nothing from torch's global generator.
    """
    steps: list[nn.Module] = []
    for inputs, outputs in spec.layers:
        steps += [nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu"), nn.ReLU()]
    module = nn.Sequential(*steps[:-1])
    flat = tensor_of(spec, initial_vector(spec, 0) if vector is None else vector)
    offset = 0
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(flat[offset : offset + parameter.numel()].view_as(parameter))
            offset += parameter.numel()
    return module


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

    A logistic model starts at zero (its loss is convex). An MLP's layers are uniform in +-1/sqrt(inputs), as
    torch's own default, drawn from a generator of their own.
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
        hidden = features_tensor(spec, features)
        views = layer_views(spec, tensor_of(spec, vector))
        for weight, bias in views[:-1]:
            hidden = torch.addmm(bias, hidden, weight.t()).relu_()
        weight, bias = views[-1]
        return np.ascontiguousarray(torch.addmm(bias, hidden, weight.t()).numpy())


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
