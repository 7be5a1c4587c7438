import numpy as np

from fl_core.models import ModelSpec, predict_logits
from fl_core.public_start import start_from_root


def test_a_public_start_knows_the_root_set_and_is_the_same_every_time():
    rng = np.random.default_rng(3)
    labels = np.arange(90, dtype=np.int64) % 3
    features = rng.normal(size=(90, 8)).astype(np.float32)
    features[np.arange(90), labels] += 3
    for spec in (ModelSpec("logistic", 8, 3), ModelSpec("mlp", 8, 3, (6,))):
        start = start_from_root(spec, features, labels, seed=5)
        assert (predict_logits(spec, start, features).argmax(axis=1) == labels).mean() > 0.9
        assert np.array_equal(start, start_from_root(spec, features, labels, seed=5))
