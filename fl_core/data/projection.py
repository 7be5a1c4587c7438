"""A public linear projection: fewer features, in which little noise hides little, learnt from public rows alone."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fl_core.data.tables import FloatArray, IntArray
from fl_core.errors import DataError, SpecError

Float32Array = NDArray[np.float32]


@dataclass(frozen=True)
class Projection:
    """Encoded features x (d,) to (x - centre) @ directions (p,); part of the schema, and so of what a round hashes.

    Attributes:
        inputs: d.
        outputs: p.
        centre: d little-endian float32.
        directions: d x p little-endian float32, row-major.
        learnt_from: the public rows that it was computed from, in words.
    """

    inputs: int
    outputs: int
    centre: bytes
    directions: bytes
    learnt_from: str

    def __post_init__(self) -> None:
        """Check the sizes.

        Raises:
            SpecError: sizes that do not fit, or values that are not finite.
        """
        if not 1 <= self.outputs <= self.inputs:
            raise SpecError(
                f"projection of {self.inputs} features to {self.outputs}: it has to leave fewer, at least 1"
            )
        if len(self.centre) != 4 * self.inputs or len(self.directions) != 4 * self.inputs * self.outputs:
            raise SpecError(
                f"projection of {self.inputs} features to {self.outputs}: its arrays have other sizes"
            )
        if not (np.isfinite(self._centre).all() and np.isfinite(self._directions).all()):
            raise SpecError("projection: it holds values that are not finite")

    @classmethod
    def of(
        cls, centre: NDArray[np.floating], directions: NDArray[np.floating], learnt_from: str
    ) -> Projection:
        """The projection with this centre (d,) and these directions (d, p), rounded to float32."""
        inputs, outputs = directions.shape
        return cls(
            inputs, outputs, centre.astype("<f4").tobytes(), directions.astype("<f4").tobytes(), learnt_from
        )

    def apply(self, features: NDArray[np.floating]) -> Float32Array:
        """Project features (n, d) to float32 (n, p), computed in float64.

        Raises:
            SpecError: another number of features.
        """
        if features.ndim != 2 or features.shape[1] != self.inputs:
            raise SpecError(f"features of shape {features.shape} for a projection of {self.inputs}")
        projected: Float32Array = ((features - self._centre) @ self._directions).astype(np.float32)
        return projected

    @cached_property
    def _centre(self) -> FloatArray:
        return np.frombuffer(self.centre, dtype="<f4").astype(np.float64)

    @cached_property
    def _directions(self) -> FloatArray:
        return (
            np.frombuffer(self.directions, dtype="<f4").astype(np.float64).reshape(self.inputs, self.outputs)
        )

    def to_json(self) -> dict[str, Any]:
        """A JSON object (no floats) from which `from_json` restores the projection exactly."""
        return {
            "inputs": self.inputs,
            "outputs": self.outputs,
            "centre": base64.b64encode(self.centre).decode(),
            "directions": base64.b64encode(self.directions).decode(),
            "learnt_from": self.learnt_from,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Projection:
        """Restore a projection.

        Raises:
            SpecError: a field is absent or of the wrong kind.
        """
        try:
            centre, directions = (base64.b64decode(value[k], validate=True) for k in ("centre", "directions"))
            return cls(
                int(value["inputs"]), int(value["outputs"]), centre, directions, str(value["learnt_from"])
            )
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            raise SpecError(f"not a projection: {error!r}; write it with Projection.to_json") from error


def discriminant_projection(
    features: NDArray[np.floating],
    labels: IntArray,
    outputs: int,
    *,
    learnt_from: str,
    shrinkage: float = 0.11,
    exponent: float = 0.75,
    length: float = 5.0,
) -> Projection:
    """Directions in which classes stand out against what varies within them, by their spread over public rows.

    With S_w the scatter within classes, the rows are transformed by (S_w + s I)^(-exponent / 2), which shrinks what
    varies without telling classes apart; then the principal directions of the transformed rows are taken. Exponent 1
    whitens fully, as linear discriminant analysis does (Fukunaga, Statistical Pattern Recognition, 1990, chapter 10);
    0 gives plain principal components. s = shrinkage times the mean eigenvalue over the span of the rows (regularised
    as in Friedman, JASA 1989).

    Args:
        features: public rows, (n, d).
        labels: their classes, int64 (n,).
        outputs: directions p to keep, at most n - 1 and d.
        learnt_from: the rows in words.
        shrinkage: of the scatter within classes, above 0.
        exponent: 0..1.
        length: root mean square length of a projected public row: a bias of a model counts as much as a feature's
            p-th part of it.

    Raises:
        DataError: too few rows for that many directions, or rows without any spread.
        SpecError: a setting out of range.
    """
    if not (shrinkage > 0 and 0 <= exponent <= 1 and length > 0):
        raise SpecError(
            f"projection: shrinkage {shrinkage} > 0, exponent {exponent} in 0..1, length {length} > 0"
        )
    rows, width = features.shape
    if not 1 <= outputs <= min(rows - 1, width):
        raise DataError(
            f"{outputs} directions from {rows} public rows of {width} features: at most {min(rows - 1, width)}"
        )
    wide = features.astype(np.float64)
    centre = wide.mean(axis=0)
    within = wide.copy()
    for label in np.unique(labels):
        within[labels == label] -= wide[labels == label].mean(axis=0)
    _, singular, axes = np.linalg.svd(within, full_matrices=False)
    spread = singular**2 / rows
    if not spread.sum() > 0:
        raise DataError("public rows do not vary within their classes: no projection can be learnt from them")
    floor = shrinkage * float(spread.sum()) / len(spread)
    gains = (spread + floor) ** (-exponent / 2) - floor ** (-exponent / 2)

    def transform(vectors: FloatArray) -> FloatArray:
        """(S_w + floor I)^(-exponent / 2), symmetric, applied to row vectors."""
        moved: FloatArray = floor ** (-exponent / 2) * vectors + ((vectors @ axes.T) * gains) @ axes
        return moved

    _, _, principal = np.linalg.svd(transform(wide - centre), full_matrices=False)
    directions = transform(_signed(principal[:outputs])).T
    reached = float(np.sqrt(np.square((wide - centre) @ directions).sum(axis=1).mean()))
    return Projection.of(centre, directions * (length / reached), learnt_from)


def _signed(directions: FloatArray) -> FloatArray:
    """Each row turned so that its largest entry is positive: the decomposition leaves the sign open."""
    largest = np.abs(directions).argmax(axis=1)
    turned: FloatArray = directions * np.sign(directions[np.arange(len(directions)), largest])[:, None]
    return turned
