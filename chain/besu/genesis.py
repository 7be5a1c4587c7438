"""The genesis file of a QBFT network without a price of gas.

Source: Besu's documentation, "Configure QBFT consensus", "Configure free gas networks" and "Genesis file items".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chain.besu.extra_data import qbft_extra_data
from chain.besu.settings import QbftSettings

MIX_HASH = "0x" + b"ctical byzantine fault tolerance".hex()
"""What tells the block as one of Istanbul consensus."""

CODE_SIZE_LIMIT = 24_576
"""EIP-170's: our contracts keep it, and so does everybody's on the chain."""


def genesis(settings: QbftSettings, validators: Sequence[bytes]) -> dict[str, Any]:
    """The genesis file's content: as of Cancun, which our contracts need (mcopy), with a base fee of zero.

    Args:
        settings: the network's.
        validators: addresses of the first validators, 20 bytes each.
    """
    return {
        "config": {
            "chainId": settings.chain_id,
            "londonBlock": 0,
            "shanghaiTime": 0,
            "cancunTime": 0,
            "zeroBaseFee": True,
            "contractSizeLimit": CODE_SIZE_LIMIT,
            "qbft": {
                "blockperiodseconds": settings.block_period_seconds,
                "epochlength": settings.epoch_length,
                "requesttimeoutseconds": settings.request_timeout_seconds,
            },
        },
        "nonce": "0x0",
        "timestamp": "0x0",
        "extraData": "0x" + qbft_extra_data(validators).hex(),
        "gasLimit": hex(settings.gas_limit),
        "difficulty": "0x1",
        "mixHash": MIX_HASH,
        "coinbase": "0x" + "00" * 20,
        "alloc": {
            address.lower().removeprefix("0x"): {"balance": hex(settings.operator_balance_wei)}
            for _, address in settings.operators
        },
    }
