"""What the errors of DisclosedTree mean, and what to do."""

from __future__ import annotations

DISCLOSED_TEXTS = {
    "InvalidDisclosedDevices()": (
        "the disclosed devices are none, malformed, or above the caps of their class: "
        "pack them with incentives.pack_devices"
    ),
    "InvalidDisclosedPayees()": (
        "the disclosed payees are malformed, zero, out of order, or of devices that take no part: pack them with "
        "incentives.pack_payees"
    ),
}
