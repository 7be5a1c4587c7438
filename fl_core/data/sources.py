"""Data sets known by name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fl_core.data.har import load_har
from fl_core.data.tables import Table
from fl_core.errors import DataError


def load(name: str) -> Table:
    """A data set by its name (see `known_data`).

    Raises:
        DataError: no data set of that name, or its files are not there.
    """
    loader = _LOADERS.get(name)
    if loader is None:
        raise DataError(
            f"unknown data {name!r}; known: {', '.join(known_data())}; for a file of your own use --csv"
        )
    return loader()


def known_data() -> tuple[str, ...]:
    """Names that `load` takes."""
    return tuple(sorted(_LOADERS))


def _wdbc() -> Table:
    """Breast Cancer Wisconsin (Diagnostic), as shipped with scikit-learn: 569 patients, 30 measurements."""
    from sklearn.datasets import load_breast_cancer  # noqa: PLC0415 - a second to import, wanted here only

    bunch = load_breast_cancer()
    return Table(
        name="wdbc",
        source="Breast Cancer Wisconsin (Diagnostic), Wolberg et al. 1995, as shipped with scikit-learn",
        numeric_names=tuple(str(name) for name in bunch.feature_names),
        numeric=np.array(bunch.data, dtype=np.float64),
        categorical_names=(),
        categorical=np.empty((len(bunch.target), 0), dtype=np.object_),
        labels=np.array(bunch.target, dtype=np.int64),
        class_names=tuple(str(name) for name in bunch.target_names),
    )


_LOADERS: dict[str, Callable[[], Table]] = {"har": load_har, "wdbc": _wdbc}
