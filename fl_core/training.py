"""What a device does with its own rows: local SGD; and how a model is measured.

The gradient of a stack of linear layers under cross entropy is written out, into views of one flat gradient:
for a handful of rows this is several times faster than autograd, and equal to it (the tests hold it to the
plain loop of module and optimiser). Convolutions go through autograd.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fl_core.errors import DataError, SpecError, TrainingError
from fl_core.models import (
    Float32Array,
    ModelSpec,
    features_tensor,
    layer_views,
    logits_of,
    predict_logits,
    tensor_of,
)
from fl_core.record_privacy import GaussianSource, RecordPrivacy, StandardNormal
from fl_core.threads import one_thread

Float64Array = NDArray[np.float64]
IntArray = NDArray[np.int64]
LayerViews = list[tuple[torch.Tensor, torch.Tensor]]

MAX_EPOCHS = 10_000
"""Most passes that a spec may ask for: whoever is given one, or audits by one, is done some day."""

_MFLOP = 1e6


@dataclass(frozen=True)
class LocalTraining:
    """How a device trains in a round.

    Attributes:
        epochs: passes over its rows, E of Algorithm 1; at most `MAX_EPOCHS`.
        batch_size: rows a step; the last batch of an epoch may be smaller.
        learning_rate: step size.
        momentum: heavy-ball momentum, fresh each round.
        weight_decay: L2 coefficient, added to the gradient of every parameter as torch.optim.SGD does.
        proximal: mu of FedProx (Li et al., MLSys 2020, equation 2): mu / 2 times the squared distance from the start
            is added to the loss, mu times the distance to the gradient.
        record_privacy: per-record DP-SGD, or None.
    """

    epochs: int = 5
    batch_size: int = 8
    learning_rate: float = 0.3
    momentum: float = 0.0
    weight_decay: float = 0.0
    proximal: float = 0.0
    record_privacy: RecordPrivacy | None = None

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise SpecError(f"{self.epochs} epochs: at least 1 is needed")
        if self.epochs > MAX_EPOCHS:
            raise SpecError(f"{self.epochs} epochs: at most {MAX_EPOCHS:,} are trained in a round")
        if self.batch_size < 1:
            raise SpecError(f"batch size {self.batch_size}: at least 1 is needed")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise SpecError(f"learning rate {self.learning_rate}: it must be above 0 and finite")
        if not 0 <= self.momentum < 1:
            raise SpecError(f"momentum {self.momentum}: it must be in [0, 1)")
        if not (math.isfinite(self.weight_decay) and self.weight_decay >= 0):
            raise SpecError(f"weight decay {self.weight_decay}: it must be at least 0 and finite")
        if not (math.isfinite(self.proximal) and self.proximal >= 0):
            raise SpecError(f"proximal term {self.proximal}: it must be at least 0 and finite")

    def to_json(self) -> dict[str, Any]:
        """A JSON object with every field."""
        return asdict(self)


@dataclass(frozen=True)
class Metrics:
    """How a model does on some rows.

    Attributes:
        accuracy: share of rows whose largest logit is their class.
        loss: mean cross entropy, nats.
        auroc: area under the ROC curve; with more than two classes the mean of one-against-rest over the
            classes that are there; None where fewer than two classes are there.
    """

    accuracy: float
    loss: float
    auroc: float | None


def train_local(  # noqa: PLR0917 - the six are what a local training is
    spec: ModelSpec,
    start: Float32Array,
    features: Float32Array,
    labels: IntArray,
    training: LocalTraining,
    seed: int,
    *,
    noise: StandardNormal | None = None,
) -> Float32Array:
    """Train from `start` by SGD on cross entropy; returns the change of the parameters, float32 (d,).

    Deterministic in all arguments on one machine: rows are shuffled each epoch by a generator of its own, and
    torch runs on one thread whatever its setting is. Only the noise of per-record privacy, if any, is new each time
    unless its source is given.

    Args:
        spec: the model.
        start: float32 (d,), left as it is.
        features: float32 (n, features).
        labels: int64 (n,), in 0..classes-1.
        training: epochs, batches and steps.
        seed: of the shuffling, 0..2^63-1.
        noise: where per-record privacy takes its noise from; by default keyed by the operating system.

    Raises:
        SpecError: shapes or types that do not fit the model; or per-record privacy without Opacus installed.
        DataError: no rows, or labels that the model does not have.
        TrainingError: the result is not finite.
    """
    check_rows(spec, features, labels)
    with one_thread():
        x, y = features_tensor(spec, features), torch.tensor(labels)
        origin = tensor_of(spec, start)
        generator = torch.Generator().manual_seed(seed)
        if training.record_privacy is None:
            with torch.no_grad():
                flat = _descend(spec, origin, x, y, training, generator)
        else:
            from fl_core.record_privacy.one_device import descend_privately  # noqa: PLC0415 - Opacus is optional

            source = GaussianSource.from_os() if noise is None else noise
            flat = descend_privately(spec, origin, x, y, training, generator, source)
        delta = np.ascontiguousarray(flat.sub_(origin).numpy())
    if not np.isfinite(delta).all():
        raise TrainingError(
            f"local training diverged at learning rate {training.learning_rate}; "
            "lower it, or check the start model"
        )
    return delta


def check_rows(spec: ModelSpec, features: Float32Array, labels: IntArray) -> None:
    """Check that a device's rows can be trained on or measured with a model.

    Raises:
        SpecError: labels that are not int64, one a row.
        DataError: no rows, or labels that the model does not have.
    """
    if len(labels) == 0:
        raise DataError("no rows: a device or a hospital needs at least one")
    if labels.dtype != np.int64 or labels.shape != (len(features),):
        raise SpecError(
            f"labels of {labels.dtype} {labels.shape} for {len(features)} rows; int64 ({len(features)},)"
        )
    if labels.min() < 0 or labels.max() >= spec.classes:
        raise DataError(
            f"labels reach {labels.min()}..{labels.max()}, but the model has {spec.classes} classes"
        )


def training_flops(spec: ModelSpec, rows: int, training: LocalTraining) -> float:
    """MFLOPs of local training on `rows` rows: 6 a weight, row and epoch (forward 2, backward 4);
    a convolution uses its weights once a window.
    """
    weights = sum(
        inputs * outputs * windows
        for (inputs, outputs), windows in zip(spec.layers, spec.windows, strict=True)
    )
    return 6.0 * weights * rows * training.epochs / _MFLOP


def per_record_loss(
    spec: ModelSpec, vector: Float32Array, features: Float32Array, labels: IntArray
) -> Float64Array:
    """Cross entropy of each row in nats, float64 (n,).

    Raises:
        SpecError: shapes that do not fit the model.
        DataError: no rows, or labels that the model does not have.
    """
    check_rows(spec, features, labels)
    return cross_entropies(predict_logits(spec, vector, features), labels)


def cross_entropies(logits: Float32Array, labels: IntArray) -> Float64Array:
    """Cross entropy of each row in nats, float64 (..., n), of logits float32 (..., n, K) and labels int64 (n,)."""
    index = np.broadcast_to(labels[:, None], (*logits.shape[:-1], 1))
    picked: Float64Array = -np.take_along_axis(_log_softmax(logits), index, axis=-1)[..., 0]
    return picked


def evaluate(spec: ModelSpec, vector: Float32Array, features: Float32Array, labels: IntArray) -> Metrics:
    """Accuracy, loss and AUROC of a model on some rows.

    Raises:
        SpecError: shapes that do not fit the model.
        DataError: no rows, or labels that the model does not have.
        TrainingError: the model gives values that are not finite.
    """
    check_rows(spec, features, labels)
    logits = predict_logits(spec, vector, features)
    if not np.isfinite(logits).all():
        raise TrainingError("the model gives values that are not finite; do not use it")
    scores = np.exp(_log_softmax(logits))
    return Metrics(
        accuracy=float((logits.argmax(axis=1) == labels).mean()),
        loss=float(cross_entropies(logits, labels).mean()),
        auroc=_macro_auroc(scores, labels),
    )


def batches(
    x: torch.Tensor, y: torch.Tensor, size: int, generator: torch.Generator
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The batches of one epoch: rows in order where one batch holds them all, else shuffled and cut."""
    if size >= len(y):
        return [(x, y)]
    order = torch.randperm(len(y), generator=generator)
    # index_select copies, so that every batch is aligned alike
    return [(x.index_select(0, part), y.index_select(0, part)) for part in torch.split(order, size)]


def _descend(  # noqa: PLR0917
    spec: ModelSpec,
    origin: torch.Tensor,
    x: torch.Tensor,
    y: torch.Tensor,
    training: LocalTraining,
    generator: torch.Generator,
) -> torch.Tensor:
    """The parameters after training, a new tensor."""
    flat, gradient = origin.clone(), torch.empty_like(origin)
    parameters, gradients = layer_views(spec, flat), layer_views(spec, gradient)
    velocity: torch.Tensor | None = None
    for _ in range(training.epochs):
        for x_batch, y_batch in batches(x, y, training.batch_size, generator):
            if spec.kind == "conv1d":
                gradient = _autograd_gradient(spec, flat, x_batch, y_batch)
            else:
                _gradient(parameters, gradients, x_batch, y_batch)
            if training.weight_decay:
                gradient.add_(flat, alpha=training.weight_decay)
            if training.proximal:
                gradient.add_(flat - origin, alpha=training.proximal)
            step = gradient
            if training.momentum:
                if velocity is None:
                    velocity = gradient.clone()
                else:
                    velocity.mul_(training.momentum).add_(gradient)
                step = velocity
            flat.sub_(step, alpha=training.learning_rate)
    return flat


def _autograd_gradient(spec: ModelSpec, flat: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    with torch.enable_grad():
        leaf = flat.detach().requires_grad_()
        loss = torch.nn.functional.cross_entropy(logits_of(spec, leaf, x), y)
        (gradient,) = torch.autograd.grad(loss, leaf)
    return gradient


def _gradient(parameters: LayerViews, gradients: LayerViews, x: torch.Tensor, y: torch.Tensor) -> None:
    """Write the gradient of the mean cross entropy into `gradients`."""
    inputs = [x]
    for weight, bias in parameters[:-1]:
        inputs.append(torch.addmm(bias, inputs[-1], weight.t()).relu_())
    weight, bias = parameters[-1]
    error = torch.softmax(torch.addmm(bias, inputs[-1], weight.t()), dim=1)
    index = y.unsqueeze(1)
    error.scatter_add_(1, index, error.new_full((1, 1), -1.0).expand(len(y), 1))
    error.div_(len(y))
    for layer in range(len(parameters) - 1, -1, -1):
        weight_gradient, bias_gradient = gradients[layer]
        torch.mm(error.t(), inputs[layer], out=weight_gradient)
        torch.sum(error, dim=0, out=bias_gradient)
        if layer:
            error = torch.mm(error, parameters[layer][0]).mul_(inputs[layer] > 0)


def _log_softmax(logits: Float32Array) -> Float64Array:
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=-1, keepdims=True)
    wide -= np.log(np.exp(wide).sum(axis=-1, keepdims=True))
    return wide


def _macro_auroc(scores: Float64Array, labels: IntArray) -> float | None:
    there = np.unique(labels)
    if len(there) < 2:
        return None
    if scores.shape[1] == 2:
        return _auroc(scores[:, 1], labels == 1)
    return float(np.mean([_auroc(scores[:, k], labels == k) for k in there]))


def _auroc(scores: Float64Array, positive: NDArray[np.bool_]) -> float:
    """Mann-Whitney statistic with mid-ranks for ties."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    positives = int(positive.sum())
    negatives = len(scores) - positives
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))
