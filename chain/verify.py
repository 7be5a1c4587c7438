"""Whether the code on the chain is what the sources compile to, constructor parameters included.

A contract's runtime code is compared byte by byte with the compiler's, without the places of immutables, which the
constructor fills; those have to hold what the deployment's record says. What lies in storage is not looked at:
`deploy.check_wiring` and the events tell who was named there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chain.compile import Artifact
from chain.contracts import Contracts
from chain.deployments import Deployment
from chain.errors import ChainError
from chain.immutables import (
    ImmutableValue,
    deployment_times,
    expected_immutables,
)
from chain.rpc import batch, request, unwrap

NAMES: Mapping[str, str] = {
    "authority": "AccessManager",
    "settlement": "LocalSettlementToken",
    "consortium": "Consortium",
    "council": "Council",
    "token": "ParticipationToken",
    "ledger": "ContributionLedger",
    "distributor": "RewardDistributor",
    "desk": "RedemptionDesk",
    "court": "DisputeCourt",
    "disclosed_tree": "DisclosedTree",
}
"""The source of each contract of a deployment, by the field that names its address."""


@dataclass(frozen=True)
class CodeCheck:
    """What was found at one address.

    Attributes:
        field: the deployment's name for the contract.
        contract: its name in the sources; None for a settlement token that was there before.
        address: where it is.
        problem: what differs, in words; None if nothing does.
    """

    field: str
    contract: str | None
    address: str
    problem: str | None


def verify_code(contracts: Contracts, artifacts: Mapping[str, Artifact]) -> list[CodeCheck]:
    """Compare every deployed contract with what the sources compile to, in the order of deployment.

    Args:
        contracts: the deployment, over a connection.
        artifacts: freshly compiled, by the contract's name.

    Raises:
        ChainError: an artifact is missing, or the deployment's record lacks a parameter.
        NodeError: the node does not answer.
    """
    deployment = contracts.deployment
    known = deployment.config
    addresses = dict(deployment.addresses())
    codes = dict(zip(addresses, _codes(contracts, list(addresses.values())), strict=True))
    expected = expected_immutables(deployment)
    times = _times(contracts)
    checks = []
    for field, address in addresses.items():
        if field == "settlement" and known.get("settlement") is not None:
            checks.append(CodeCheck(field, None, address, None))
            continue
        name = NAMES[field]
        problem = _difference(codes[field], _artifact(artifacts, name), expected.get(name, {}), times)
        checks.append(CodeCheck(field, name, address, problem))
    return checks


def immutable_values(code: bytes, artifact: Artifact) -> dict[str, set[bytes]]:
    """What each immutable holds at its places in a contract's runtime code: one value, unless it was tampered with."""
    return {
        name: {code[place["start"] : place["start"] + place["length"]] for place in places}
        for name, places in artifact["immutableReferences"].items()
    }


def masked(code: bytes, artifact: Artifact) -> bytes:
    """Runtime code with zeros where immutables are, as the compiler leaves them."""
    blank = bytearray(code)
    for places in artifact["immutableReferences"].values():
        for place in places:
            blank[place["start"] : place["start"] + place["length"]] = bytes(place["length"])
    return bytes(blank)


def _difference(
    code: bytes, artifact: Artifact, expected: Mapping[str, ImmutableValue], times: tuple[int, int]
) -> str | None:
    compiled = bytes.fromhex(artifact["deployedBytecode"][2:])
    if not code:
        return "there is no code"
    if len(code) != len(compiled):
        return f"its code has {len(code)} bytes, the sources' {len(compiled)}"
    found, wanted = masked(code, artifact), masked(compiled, artifact)
    if found != wanted:
        place = next(
            index for index, (one, other) in enumerate(zip(found, wanted, strict=True)) if one != other
        )
        return f"its code differs from byte {place} on"
    return _odd_immutable(code, artifact, expected, times)


def _odd_immutable(
    code: bytes, artifact: Artifact, expected: Mapping[str, ImmutableValue], times: tuple[int, int]
) -> str | None:
    for name, values in sorted(immutable_values(code, artifact).items()):
        if len(values) != 1:
            return f"{name} has several values in its code"
        value = int.from_bytes(next(iter(values)), "big")
        if name in deployment_times():
            if not times[0] <= value <= times[1]:
                return f"{name} is {value}, no time between the deployment and now"
        elif name not in expected:
            return f"nothing is known of its {name}"
        elif value != expected[name].number:
            return f"{name} is {expected[name].shown(value)}, the record says {expected[name]}"
    return None


def _codes(contracts: Contracts, addresses: list[str]) -> list[bytes]:
    answers = batch(contracts.w3, [("eth_getCode", [address, "latest"]) for address in addresses])
    return [bytes.fromhex(str(unwrap(answer)).removeprefix("0x")) for answer in answers]


def _times(contracts: Contracts) -> tuple[int, int]:
    """Timestamps of the block before the deployment's first and of the latest one."""
    first = request(contracts.w3, "eth_getBlockByNumber", hex(contracts.deployment.block), False)
    last = request(contracts.w3, "eth_getBlockByNumber", "latest", False)
    return int(first["timestamp"], 16), int(last["timestamp"], 16)


def _artifact(artifacts: Mapping[str, Artifact], name: str) -> Artifact:
    try:
        return artifacts[name]
    except KeyError:
        raise ChainError(
            f"the sources have no contract {name}: verify in a checkout of the right version"
        ) from None


def first_difference(checks: list[CodeCheck], deployment: Deployment) -> str | None:
    """One line about the first contract that differs; None if none does."""
    for check in checks:
        if check.problem is not None:
            return (
                f"the {check.field} contract at {check.address} on chain {deployment.chain_id} is not "
                f"{check.contract} as the sources have it: {check.problem}"
            )
    return None
