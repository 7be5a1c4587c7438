"""Who governs: the deployer until it hands over, the council of the hospitals from then on."""

from __future__ import annotations

from chain.connect import LOCAL_CHAIN_IDS
from chain.contracts import Contracts
from chain.errors import ChainError
from chain.sender import Sender

MAX_DELAY_SECONDS = 365 * 86_400


def check_delay(chain_id: int, delay_seconds: int) -> None:
    """Make sure that a carried proposal is public before it takes effect, and takes effect some day.

    Raises:
        ChainError: the delay is out of range.
    """
    least = 0 if chain_id in LOCAL_CHAIN_IDS else 1
    if not least <= delay_seconds <= MAX_DELAY_SECONDS:
        why = (
            ""
            if least == 0 or delay_seconds
            else ", since only on local chains a change may take effect unseen"
        )
        raise ChainError(
            f"a governance delay of {delay_seconds} s is out of range: give {least} to {MAX_DELAY_SECONDS}{why}"
        )


def hand_over(contracts: Contracts, governance: Sender, *, delay_seconds: int) -> None:
    """Make the council the one administrator, after the founding hospitals were admitted. There is no way back.

    Args:
        contracts: the deployment.
        governance: the deployer, who gives its own role up.
        delay_seconds: from queueing a carried proposal until it can be executed.

    Raises:
        ChainError: no hospital is active, so that nobody could govern; or the delay is out of range.
        ContractError: the sender does not govern.
    """
    check_delay(contracts.deployment.chain_id, delay_seconds)
    if not contracts.consortium.active_set():
        raise ChainError("no hospital is active: admit the founding hospitals and post their bonds first")
    contracts.manager.grant_admin(governance, contracts.council.address, delay_seconds=delay_seconds)
    contracts.manager.renounce_admin(governance)
    check_governed(contracts)


def check_governed(contracts: Contracts) -> None:
    """Make sure that the council governs and the deployer does not.

    Raises:
        ChainError: it is otherwise.
    """
    known = contracts.deployment
    if contracts.council.execution_delay() is None:
        raise ChainError(f"the council at {known.council} does not govern: hand over to it")
    if contracts.manager.admin(known.deployer)[0]:
        raise ChainError(
            f"the deployer {known.deployer} still governs beside the council: it has to renounce"
        )
