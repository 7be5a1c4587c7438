"""One exception class for each custom error of the contracts.

`except ContractError` catches them all; `except AlreadyClaimed`, imported from here by its Solidity name, one
kind.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import IntEnum
from functools import cache
from typing import Any, ClassVar

from chain.abi import Member
from chain.error_texts import ERROR_TEXTS
from chain.errors import TransactionFailed
from chain.phases import HospitalStatus, OrderStatus, Phase, ProposalState


class ContractError(TransactionFailed):
    """A contract refused a call with a custom error.

    Attributes:
        name: the error's Solidity name.
        signature: its canonical signature.
        values: its arguments by snake_case name.
        text: what it means and what to do.
        label: "Contract.function" of the call.
        transaction: 0x-prefixed hash, or None if nothing was sent.
    """

    name: ClassVar[str] = "ContractError"

    def __init__(
        self,
        signature: str,
        values: Mapping[str, Any],
        *,
        text: str,
        label: str = "",
        transaction: str | None = None,
    ) -> None:
        super().__init__(f"{text} ({self.name})", label=label, transaction=transaction)
        self.signature = signature
        self.values = dict(values)
        self.text = text


@cache
def error_class(name: str) -> type[ContractError]:
    """The exception class of a custom error, made when first asked for."""
    doc = f"The contracts' custom error `{name}`."
    return type(name, (ContractError,), {"name": name, "__doc__": doc, "__module__": __name__})


def error_text(member: Member, values: Mapping[str, Any]) -> str:
    """What an error means with these arguments. Errors that nobody has described are shown as they are."""
    text = ERROR_TEXTS.get(member.signature)
    if text is None:
        shown = ", ".join(f"{name} = {value}" for name, value in values.items())
        return f"the contract refused the call: {member.name}({shown})"
    return _Formatter().vformat(text, (), values)


def __getattr__(name: str) -> type[ContractError]:
    if any(signature.split("(", 1)[0] == name for signature in ERROR_TEXTS):
        return error_class(name)
    raise AttributeError(f"no custom error of the contracts is called {name}")


_RULE_FIELDS = (
    *("w_volume", "w_quality", "w_compute", "device_gate", "hospital_gate"),
    *("share_volume", "share_compute", "operator_bps"),
    *(f"volume_cap of class {k}" for k in range(4)),
    *(f"compute_cap of class {k}" for k in range(4)),
)
_ENUMERATIONS: dict[str, type[IntEnum]] = {
    "phase": Phase,
    "hospital_status": HospitalStatus,
    "order_status": OrderStatus,
    "proposal_state": ProposalState,
}


class _Formatter(string.Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:  # noqa: ANN401
        if format_spec == "time":
            return "never" if value == 0 else _time(int(value))
        if format_spec == "tokens":
            return f"{value / 10**18:,.6g}"
        if format_spec == "rule_field":
            return _RULE_FIELDS[value] if value < len(_RULE_FIELDS) else f"number {value}"
        kind = _ENUMERATIONS.get(format_spec)
        if kind is not None:
            return next((item.name.lower() for item in kind if item == value), str(value))
        return str(super().format_field(value, format_spec))


def _time(timestamp: int) -> str:
    try:
        return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return f"second {timestamp}"
