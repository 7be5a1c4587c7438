"""The rule that a deployment starts from; governance votes later ones."""

from typing import Final

from incentives.contributions import DEFAULT_CAPS, DeviceClass
from incentives.reward_rule import RewardRule

DEFAULT_RULE: Final = RewardRule(
    w_volume=3_000,
    w_quality=5_000,
    w_compute=2_000,
    device_gate=2_500,  # two and a quarter spreads below the hospital's median
    hospital_gate=2_000,
    share_volume=7_000,
    share_compute=3_000,
    operator_bps=1_000,
    volume_cap=(
        DEFAULT_CAPS[DeviceClass.WEARABLE].volume,
        DEFAULT_CAPS[DeviceClass.BEDSIDE].volume,
        DEFAULT_CAPS[DeviceClass.IMAGING].volume,
        DEFAULT_CAPS[DeviceClass.SERVER].volume,
    ),
    compute_cap=(
        DEFAULT_CAPS[DeviceClass.WEARABLE].compute,
        DEFAULT_CAPS[DeviceClass.BEDSIDE].compute,
        DEFAULT_CAPS[DeviceClass.IMAGING].compute,
        DEFAULT_CAPS[DeviceClass.SERVER].compute,
    ),
)
"""Half of a device's weight by quality; a tenth of an allocation for the operator."""
