"""The work of one SecAgg+ round through Flower's own functions, timed. Runs under the peer's interpreter, not ours.

Client stages are the four functions behind `flwr.client.mod.secaggplus_mod`; the server's part follows
`SecAggPlusWorkflow.collect_masked_vectors_stage` and `unmask_stage` call by call. Records, messages and transport are
left out, in Flower's favour. Every cost is a client's own or the server's for one client, so a subset of clients can
be measured and scaled: what a measured client receives from one that is not is made up here, of the same form.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from typing import Any

import numpy as np
from flwr.common import bytes_to_ndarray, ndarrays_to_parameters
from flwr.common.secure_aggregation.crypto.shamir import combine_shares
from flwr.common.secure_aggregation.crypto.symmetric_encryption import decrypt, encrypt, generate_shared_key
from flwr.common.secure_aggregation.ndarrays_arithmetic import (
    factor_extract,
    get_parameters_shape,
    parameters_addition,
    parameters_mod,
    parameters_subtraction,
)
from flwr.common.secure_aggregation.quantization import dequantize
from flwr.common.secure_aggregation.secaggplus_constants import Key
from flwr.common.secure_aggregation.secaggplus_utils import (
    pseudo_rand_gen,
    share_keys_plaintext_concat,
    share_keys_plaintext_separate,
)
from flwr.supercore.primitives.asymmetric import bytes_to_private_key, bytes_to_public_key

# by name: its package has a function of the same name
mod = import_module("flwr.client.mod.secure_aggregation.secaggplus_mod")

CLIPPING_RANGE = 8.0
TARGET_RANGE = 1 << 22
MOD_RANGE = 1 << 32
EXAMPLES = 1


class Clock:
    """CPU seconds of this process (all its threads): by stage, apart for clients that drop out and those that stay."""

    def __init__(self, dead: set[int]) -> None:
        self.cpu_s: dict[str, dict[str, float]] = {"alive": {}, "dead": {}}
        self._dead = dead

    def timed(self, stage: str, client: int, work: Callable[..., Any], *arguments: Any) -> Any:  # noqa: ANN401 - whatever the work gives
        """Call `work` and add its CPU seconds to a stage of a client."""
        start = time.process_time()
        result = work(*arguments)
        spent = self.cpu_s["dead" if client in self._dead else "alive"]
        spent[stage] = spent.get(stage, 0.0) + time.process_time() - start
        return result


@dataclass
class Cohort:
    """Clients on their ring, those that drop out after sharing their keys, and those whose work is timed."""

    order: list[int]
    neighbours: dict[int, set[int]]
    dead: set[int]
    measured: list[int]

    @classmethod
    def of(cls, *, clients: int, shares: int, dropped: int, measured: int) -> Cohort:
        """Places and dropouts from a fixed seed; as large a part of the dropped as of the others is measured."""
        generator = random.Random(1)
        order = generator.sample(range(1, clients + 1), clients)
        half = shares >> 1
        neighbours = {
            client: {order[(place + step) % clients] for step in range(-half, half + 1)}
            for place, client in enumerate(order)
        }
        dead = generator.sample(order, dropped)
        alive = [client for client in order if client not in dead]
        measured_dead = min(dropped, max(1, round(measured * dropped / clients)))
        return cls(order, neighbours, set(dead), dead[:measured_dead] + alive[: measured - measured_dead])

    @property
    def measured_alive(self) -> list[int]:
        """Those of the measured that stay."""
        return [client for client in self.measured if client not in self.dead]


def main() -> None:
    """Read the settings from the command line, do the work, print the figures as JSON."""
    parser = argparse.ArgumentParser()
    for name in ("clients", "dim", "shares", "threshold", "dropped", "measured"):
        parser.add_argument(f"--{name}", type=int, required=True)
    settings = vars(parser.parse_args())
    dim, threshold = settings.pop("dim"), settings.pop("threshold")
    measure(Cohort.of(clients=4, shares=4, dropped=0, measured=4), 16, 4, 3)  # what only a first call pays
    json.dump(measure(Cohort.of(**settings), dim, settings["shares"], threshold), sys.stdout)


def measure(cohort: Cohort, dim: int, shares: int, threshold: int) -> dict[str, Any]:
    """Run the round; CPU seconds of the measured clients and of the server's work for them."""
    clock, dead, alive = Clock(cohort.dead), cohort.dead, cohort.measured_alive
    rng = np.random.default_rng(1)
    vectors = {client: rng.uniform(-1, 1, dim) for client in alive}
    states, public_keys = _set_up(cohort, clock, shares, threshold)
    boxes = _share_keys(cohort, clock, states, public_keys)

    total = None
    for client in alive:
        configs = {Key.CIPHERTEXT_LIST: list(boxes[client].values()), Key.SOURCE_LIST: list(boxes[client])}
        update = ndarrays_to_parameters([vectors[client]])
        mask = mod._collect_masked_vectors
        sent = clock.timed("client_mask", client, mask, states[client], configs, EXAMPLES, update)
        total = clock.timed("server_add", client, _added, total, sent[Key.MASKED_PARAMETERS])

    collected = _opened_by_others(cohort, states, boxes)
    for client in alive:
        asked = {
            Key.ACTIVE_NODE_ID_LIST: [n for n in cohort.neighbours[client] if n not in dead],
            Key.DEAD_NODE_ID_LIST: [n for n in cohort.neighbours[client] if n in dead],
        }
        opened = clock.timed("client_unmask", client, mod._unmask, states[client], asked)
        for owner, share in zip(opened[Key.NODE_ID_LIST], opened[Key.SHARE_LIST], strict=True):
            if owner in collected:
                collected[owner].append(share)

    for client, held in collected.items():
        _require(len(held) >= threshold, f"{len(held)} shares are left of a secret, {threshold} are needed")
        secret = clock.timed("server_reconstruct", client, combine_shares, held)
        _require(secret == (states[client].sk1 if client in dead else states[client].rd_seed), "wrong secret")
        peers = cohort.neighbours[client] - {client}
        unmask = _pair_masks_off if client in dead else _self_mask_off
        total = clock.timed("server_unmask", client, unmask, total, client, secret, peers, public_keys)
    mean = _mean(total, len(alive))
    if len(cohort.measured) == len(cohort.order):
        error = float(np.abs(mean[0] - np.mean(list(vectors.values()), axis=0)).max())
        _require(error < 1e-4, f"the mean is off by {error}")
    return {
        "flwr": version("flwr"),
        "cpu_s": clock.cpu_s,
        "alive": len(alive),
        "dead": len(cohort.measured) - len(alive),
    }


def _set_up(
    cohort: Cohort, clock: Clock, shares: int, threshold: int
) -> tuple[dict[int, Any], dict[int, tuple[bytes, bytes]]]:
    states = {client: mod.SecAggPlusState(nid=client) for client in cohort.order}
    public_keys, others = {}, Clock(set())
    for client, state in states.items():
        setup = {
            Key.SAMPLE_NUMBER: len(cohort.order),
            Key.SHARE_NUMBER: shares,
            Key.THRESHOLD: threshold,
            Key.CLIPPING_RANGE: CLIPPING_RANGE,
            Key.TARGET_RANGE: TARGET_RANGE,
            Key.MOD_RANGE: MOD_RANGE,
            Key.MAX_WEIGHT: float(EXAMPLES),
        }
        own_clock = clock if client in cohort.measured else others
        keys = own_clock.timed("client_setup", client, mod._setup, state, setup)
        public_keys[client] = (keys[Key.PUBLIC_KEY_1], keys[Key.PUBLIC_KEY_2])
    return states, public_keys


def _share_keys(
    cohort: Cohort, clock: Clock, states: dict[int, Any], public_keys: dict[int, tuple[bytes, bytes]]
) -> dict[int, dict[int, bytes]]:
    """Boxes by receiver and sender: real ones from measured clients, made-up ones of the same form from others."""
    boxes: dict[int, dict[int, bytes]] = {client: {} for client in cohort.order}
    for client in cohort.measured:
        known = {str(peer): public_keys[peer] for peer in cohort.neighbours[client]}
        dealt = clock.timed("client_share_keys", client, mod._share_keys, states[client], known)
        for peer, box in zip(dealt[Key.DESTINATION_LIST], dealt[Key.CIPHERTEXT_LIST], strict=True):
            boxes[peer][client] = box
    for client in cohort.measured:
        state = states[client]
        like = state.rd_seed_share_dict[client], state.sk1_share_dict[client]
        for peer in cohort.neighbours[client] - {client} - boxes[client].keys():
            boxes[client][peer] = encrypt(
                state.ss2_dict[peer], share_keys_plaintext_concat(peer, client, *like)
            )
    return boxes


def _opened_by_others(
    cohort: Cohort, states: dict[int, Any], boxes: dict[int, dict[int, bytes]]
) -> dict[int, list[bytes]]:
    """Shares of measured clients' secrets that clients which stay, but are not measured, would open. Not timed."""
    collected: dict[int, list[bytes]] = {client: [] for client in cohort.measured}
    for client, held in collected.items():
        for peer in cohort.neighbours[client] - set(cohort.measured) - cohort.dead:
            plain = decrypt(states[client].ss2_dict[peer], boxes[peer][client])
            _, _, seed_share, key_share = share_keys_plaintext_separate(plain)
            held.append(key_share if client in cohort.dead else seed_share)
    return collected


def _added(total: Any, sent: list[bytes]) -> Any:  # noqa: ANN401 - Flower's lists of arrays
    vector = [bytes_to_ndarray(part) for part in sent]
    return vector if total is None else parameters_addition(total, vector)


def _self_mask_off(total: Any, _client: int, seed: bytes, *_: Any) -> Any:  # noqa: ANN401 - as above
    return parameters_subtraction(total, pseudo_rand_gen(seed, MOD_RANGE, get_parameters_shape(total)))


def _pair_masks_off(
    total: Any,  # noqa: ANN401 - as above
    client: int,
    private_key: bytes,
    peers: set[int],
    public_keys: dict[int, tuple[bytes, bytes]],
) -> Any:  # noqa: ANN401 - as above
    for peer in peers:
        shared = generate_shared_key(
            bytes_to_private_key(private_key), bytes_to_public_key(public_keys[peer][0])
        )
        mask = pseudo_rand_gen(shared, MOD_RANGE, get_parameters_shape(total))
        combine = parameters_addition if client > peer else parameters_subtraction
        total = combine(total, mask)
    return total


def _mean(total: Any, active: int) -> Any:  # noqa: ANN401 - as above
    total_ratio, vectors = factor_extract(parameters_mod(total, MOD_RANGE))
    mean = dequantize(vectors, CLIPPING_RANGE, TARGET_RANGE)
    return [(vector - (active - 1) * CLIPPING_RANGE) * (TARGET_RANGE / total_ratio) for vector in mean]


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise SystemExit(f"flower secagg: {what}")


if __name__ == "__main__":
    main()
