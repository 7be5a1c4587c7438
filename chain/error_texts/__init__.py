"""What each custom error of the contracts means, and what to do: one line each, by the error's signature.

A file a contract. Placeholders are the error's parameters in snake_case; `:phase`, `:hospital_status`, `:order_status`,
`:proposal_state`, `:rule_field`, `:time` and `:tokens` say how a value is shown.
"""

from __future__ import annotations

from chain.error_texts.consortium import CONSORTIUM_TEXTS
from chain.error_texts.council import COUNCIL_TEXTS
from chain.error_texts.court import COURT_TEXTS
from chain.error_texts.desk import CASH_OUT_TEXTS, DESK_TEXTS
from chain.error_texts.disclosed_tree import DISCLOSED_TEXTS
from chain.error_texts.distributor import DISTRIBUTOR_TEXTS
from chain.error_texts.ledger import LEDGER_TEXTS
from chain.error_texts.libraries import LIBRARY_TEXTS
from chain.error_texts.token import TOKEN_TEXTS

__all__ = ["ERROR_TEXTS"]

ERROR_TEXTS: dict[str, str] = {
    **CONSORTIUM_TEXTS,
    **COUNCIL_TEXTS,
    **COURT_TEXTS,
    **DESK_TEXTS,
    **CASH_OUT_TEXTS,
    **DISCLOSED_TEXTS,
    **DISTRIBUTOR_TEXTS,
    **LEDGER_TEXTS,
    **LIBRARY_TEXTS,
    **TOKEN_TEXTS,
}
"""All of them."""
