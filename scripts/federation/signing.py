"""What a run's secure aggregation and signatures are bound to, and who recovers the signers."""

from __future__ import annotations

from chain.signing import EthereumVerifier
from fl_core.canonical import sha256
from fl_core.errors import SignatureError
from fl_core.signing import Domain, LocalVerifier, Verifier


def domain_of(run: str, chain_id: int, ledger: bytes) -> Domain:
    """The EIP-712 domain of a run's device signatures: its ledger, or without a chain (id 0) the run itself."""
    if chain_id == 0:
        return Domain.of_run(run)
    return Domain("FedIoMT", "1", chain_id=chain_id, verifying_contract=ledger)


def verifier_of(chain_id: int) -> Verifier:
    """Recovers Ethereum accounts, or without a chain (id 0) the accounts of `LocalSigner`."""
    return LocalVerifier() if chain_id == 0 else EthereumVerifier(error=SignatureError)


def session_of(run: str) -> bytes:
    """The secure aggregation session of a run, 32 bytes."""
    return sha256(b"FedIoMT session\x00" + run.encode())
