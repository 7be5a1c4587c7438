"""Stacks of convolutions over time: each is a linear layer on windows of the signal, shared by all windows of a row."""

from __future__ import annotations

import torch

from fl_core.batched.layers import LinearStack, Pieces, output_error, squares
from fl_core.batched.recycled import Recycled
from fl_core.models import ModelSpec


class ConvolutionStack(LinearStack):
    """Stacked models of kind conv1d; a `Stack`. Signals are held time first: (a, b, samples, channels)."""

    def __init__(self, spec: ModelSpec, start: torch.Tensor, devices: int, memory: Recycled) -> None:
        """Stack copies of one model; arguments as for linear layers."""
        super().__init__(spec, start, devices, memory)
        self._spec = spec

    def _passes(self, x: torch.Tensor, y: torch.Tensor) -> Pieces:
        spec, rows = self._spec, y.shape
        *convolutions, output = self._layers(len(x))
        signals = [x.unflatten(2, (spec.channels, -1)).transpose(2, 3)]  # type: ignore[no-untyped-call]
        inputs = []
        for layer in convolutions:
            windows = signals[-1].unfold(2, spec.kernel, spec.stride)  # (a, b, windows, channels, kernel)
            inputs.append(windows.reshape(rows[0], rows[1] * windows.shape[2], -1))
            signals.append(layer.forward(inputs[-1]).relu_().view(*rows, windows.shape[2], -1))
        inputs.append(signals[-1].mean(dim=2))
        errors = [output_error(output.forward(inputs[-1]), y)]
        last = signals[-1].shape[2]
        error = (output.backward(errors[0]) / last).unsqueeze(2).expand_as(signals[-1])
        for index in range(len(convolutions) - 1, -1, -1):
            error = error * (signals[index + 1] > 0)
            errors.insert(0, error.view(rows[0], -1, error.shape[3]))
            if index:
                error = self._spread(convolutions[index].backward(errors[0]), signals[index])
        return inputs, errors

    def _spread(self, windows: torch.Tensor, signal: torch.Tensor) -> torch.Tensor:
        """Add what belongs to each window, (a, b * windows, channels * kernel), up to what belongs to each sample."""
        kernel, stride = self._spec.kernel, self._spec.stride
        parts = windows.view(*signal.shape[:2], -1, signal.shape[3], kernel)
        spread, reach = torch.zeros_like(signal), stride * (parts.shape[2] - 1) + 1
        for offset in range(kernel):
            spread[:, :, offset : offset + reach : stride] += parts[..., offset]
        return spread

    def _squared_norms(
        self, inputs: list[torch.Tensor], errors: list[torch.Tensor], y: torch.Tensor
    ) -> torch.Tensor:
        """A convolution's gradient sums over a row's windows, so it is written down, for each row, and measured."""
        total = squares(errors[-1]).mul_(squares(inputs[-1]).add_(1.0))
        for entering, error in zip(inputs[:-1], errors[:-1], strict=True):
            each_error = error.view(y.numel(), -1, error.shape[2])
            each_input = entering.view(y.numel(), -1, entering.shape[2])
            gradients = torch.bmm(each_error.transpose(1, 2), each_input).view(*y.shape, -1)
            total.add_(squares(gradients)).add_(squares(each_error.sum(dim=1)).view(y.shape))
        return total
