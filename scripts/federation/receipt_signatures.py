"""What a hospital signs for all its receipts of a round: the root that they lead to.

One signature serves every device of the entry, since each receipt carries its way to that root. A root on the ledger
that differs from a signed one convicts the hospital (`DisputeCourt.proveReceipt`).
"""

from __future__ import annotations

from fl_core.errors import FlError
from fl_core.secagg import Advertisement
from fl_core.signing import TypedMessage
from scripts.federation.checks.line import CheckLine, same
from scripts.federation.facts import LedgerFacts
from scripts.federation.receipts import OpenedReceipt
from scripts.federation.record import HospitalRecord, RoundRecord
from scripts.federation.signing import domain_of, verifier_of

_WHAT = "its hospital signed the root that it leads to"


def receipt_message(record: RoundRecord, hospital: int, root: bytes) -> TypedMessage:
    """The EIP-712 message of a hospital's receipts, in the ledger's domain.

    Args:
        record: the round.
        hospital: the hospital's id.
        root: hash of the root of its tree, 32 bytes.
    """
    return TypedMessage(
        domain_of(record.run, record.chain_id, record.ledger),
        "Receipt",
        (("round", "uint64", record.number), ("hospital", "uint16", hospital), ("root", "bytes32", root)),
    )


def check_signature(
    record: RoundRecord, part: HospitalRecord, receipt: OpenedReceipt, facts: LedgerFacts | None
) -> CheckLine:
    """Whether the hospital signed the root that a receipt says it leads to.

    With a ledger the signer must be an account that the consortium had for the hospital in the round, as in court: a
    receipt that another key signed, or none, binds nobody. Without one it is the account that signed the hospital's
    own keys.
    """
    message = receipt_message(record, part.hospital, receipt.root)
    try:
        signer = verifier_of(record.chain_id).recover(message, receipt.signature)
    except FlError as error:
        found, signer = f"nobody ({error})", b""
    else:
        found = signer.hex()
    own = {Advertisement.decode(part.keys).address} if facts is None else facts.signatories(part.hospital)
    expected = found if signer in own else " or ".join(sorted(account.hex() for account in own))
    return CheckLine("signature", _WHAT, tuple(same("receipt", "signer of the root", expected, found)))
