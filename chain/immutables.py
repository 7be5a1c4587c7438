"""What the immutables of a deployment's contracts have to hold, from the deployment's record."""

from __future__ import annotations

from dataclasses import dataclass

from eth_utils.crypto import keccak

from chain.connect import NOBODY
from chain.deployments import Deployment
from chain.errors import ChainError

_LEDGER_PARAMS = (
    "max_supply",
    "initial_emission",
    "emission_decay_bps",
    "bonus_per_point",
    "bonus_cap",
    "k_min",
    "rho_cap_micro",
    "ready_seconds",
    "training_seconds",
    "commit_seconds",
    "reveal_seconds",
    "entry_seconds",
    "attest_seconds",
    "challenge_seconds",
    "idle_seconds",
    "max_freeze_seconds",
)
_DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"


@dataclass(frozen=True)
class ImmutableValue:
    """A value as the 32 bytes of an immutable have it.

    Attributes:
        number: those bytes, big-endian.
        is_hex: whether it is read as hexadecimal (addresses, hashes) or as a number.
    """

    number: int
    is_hex: bool = False

    def shown(self, number: int) -> str:
        """Another number in this one's form."""
        return hex(number) if self.is_hex else str(number)

    def __str__(self) -> str:
        return self.shown(self.number)


def deployment_times() -> frozenset[str]:
    """Immutables that hold the time of deployment, which the record does not have."""
    return frozenset({"LedgerBase._DEPLOYED_AT", "CashOut._START"})


def expected_immutables(deployment: Deployment) -> dict[str, dict[str, ImmutableValue]]:
    """Values by "Contract.variable", by the name of the deployed contract.

    Args:
        deployment: as it was recorded.

    Raises:
        ChainError: the record lacks a parameter.
    """
    consortium, settlement = _address(deployment.consortium), _address(deployment.settlement)
    token, ledger = _address(deployment.token), _address(deployment.ledger)

    def number(name: str) -> ImmutableValue:
        return _parameter(deployment, name)

    return {
        "Consortium": {
            "ConsortiumBase.settlement": settlement,
            "ConsortiumBase.bondAmount": number("bond_amount"),
            "ConsortiumBase.exitSeconds": number("exit_seconds"),
        },
        "Council": {
            "Council.consortium": consortium,
            "Council.manager": _address(deployment.authority),
            "Council.votingSeconds": number("council_voting_seconds"),
        },
        "ContributionLedger": {
            "LedgerBase.consortium": consortium,
            "LedgerBase._DISCLOSED_TREE": _address(deployment.disclosed_tree or NOBODY),
            **{f"LedgerBase._{name.upper()}": number(name) for name in _LEDGER_PARAMS},
        },
        "ParticipationToken": {
            "ParticipationToken.minter": _address(deployment.distributor),
            "ParticipationToken.maxSupply": number("max_supply"),
            **_eip712("FedIoMT Participation", deployment.chain_id, deployment.token),
        },
        "RewardDistributor": {
            "RewardDistributor.ledger": ledger,
            "RewardDistributor.token": token,
            "ClaimGate._CONSORTIUM": consortium,
            **_eip712("FedIoMT RewardDistributor", deployment.chain_id, deployment.distributor),
        },
        "RedemptionDesk": {
            "DeskServices.token": token,
            "DeskServices.consortium": consortium,
            "DeskServices.minFulfilSeconds": number("min_fulfil_seconds"),
            "DeskServices.minBuyerSeconds": number("min_buyer_seconds"),
            "DeskOrders.arbitrationSeconds": number("arbitration_seconds"),
            "CashOut.settlement": settlement,
            "CashOut.cashOutSeconds": number("cash_out_seconds"),
            "CashOut.cashOutPriceCap": number("cash_out_price_cap"),
        },
        "DisputeCourt": {
            "CourtBase.ledger": ledger,
            "CourtBase.settlement": settlement,
            "CourtBase._CONSORTIUM": consortium,
            "CourtBase._DISCLOSED": ImmutableValue(int(deployment.disclosed_tree is not None)),
            "CourtBase.challengeBond": number("challenge_bond"),
            "CourtBase.slashAmount": number("slash_amount"),
            "CourtBase.caseSeconds": number("case_seconds"),
            "CourtBase.openings": number("openings"),
        },
    }


def _parameter(deployment: Deployment, name: str) -> ImmutableValue:
    try:
        return ImmutableValue(int(deployment.config[name]))
    except (KeyError, TypeError, ValueError):
        raise ChainError(
            f"the record of chain {deployment.chain_id} lacks a proper {name}: verify with the record that "
            "`fediomt deploy` wrote"
        ) from None


def _address(text: str) -> ImmutableValue:
    return ImmutableValue(int(text, 16), is_hex=True)


def _eip712(name: str, chain_id: int, address: str) -> dict[str, ImmutableValue]:
    """What OpenZeppelin's EIP712 keeps of a domain (EIP-712, "Definition of domainSeparator"), version 1."""
    place = int(address, 16).to_bytes(32, "big")
    hashed_name, hashed_version = keccak(text=name), keccak(text="1")
    separator = keccak(
        keccak(_DOMAIN_TYPE) + hashed_name + hashed_version + chain_id.to_bytes(32, "big") + place
    )
    return {
        "EIP712._cachedDomainSeparator": _bytes(separator),
        "EIP712._cachedChainId": ImmutableValue(chain_id),
        "EIP712._cachedThis": _address(address),
        "EIP712._hashedName": _bytes(hashed_name),
        "EIP712._hashedVersion": _bytes(hashed_version),
        "EIP712._name": _short_string(name),
        "EIP712._version": _short_string("1"),
    }


def _short_string(text: str) -> ImmutableValue:
    """OpenZeppelin's ShortString: up to 31 bytes from the left, the length in the last one."""
    raw = text.encode()
    return _bytes(raw.ljust(31, b"\0") + bytes([len(raw)]))


def _bytes(value: bytes) -> ImmutableValue:
    return ImmutableValue(int.from_bytes(value, "big"), is_hex=True)
