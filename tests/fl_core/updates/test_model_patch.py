import numpy as np
import pytest

from fl_core.errors import SpecError
from fl_core.updates import CompressionSpec, coordinate_mask
from fl_core.updates.model_patch import apply_patch, encode_patch, patch_bytes

DIM = 500


def rounds(count, seed=0):
    """A model's history with the coordinates of each round."""
    rng = np.random.default_rng(seed)
    models, masks = [rng.normal(size=DIM).astype(np.float32)], []
    for number in range(count):
        last = models[-1] - models[-2] if len(models) > 1 else None
        mask = coordinate_mask(
            CompressionSpec(0.1, 0.5), beacon=bytes(32), round_number=number, dim=DIM, last_update=last
        )
        after = models[-1].copy()
        after[mask] += rng.normal(size=len(mask)).astype(np.float32)
        models.append(after)
        masks.append(mask)
    return models, masks


def test_a_device_that_missed_rounds_arrives_at_the_same_model_bit_for_bit():
    """It derives every round's mask from the models that it rebuilds on the way."""
    models, masks = rounds(5)
    own = models[0]
    for number, mask in enumerate(masks):
        patch = encode_patch(models[number], models[number + 1], mask)
        assert len(patch) == patch_bytes(len(mask)) == 4 + 4 * 50
        own = apply_patch(own, patch, mask)
    assert own.tobytes() == models[-1].tobytes()


def test_a_model_that_changed_elsewhere_is_not_sent_as_a_patch():
    models, masks = rounds(1)
    other = models[1].copy()
    other[np.setdiff1d(np.arange(DIM), masks[0])[0]] += 1
    with pytest.raises(SpecError, match="send it whole"):
        encode_patch(models[0], other, masks[0])


def test_malformed_patches_are_refused():
    models, masks = rounds(1)
    patch = encode_patch(models[0], models[1], masks[0])
    for bad in (b"", patch[:-1], patch + b"\0", b"XXXX" + patch[4:], patch[:4] + b"\xff" * (len(patch) - 4)):
        with pytest.raises(SpecError, match="model patch"):
            apply_patch(models[0], bad, masks[0])
