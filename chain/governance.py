"""Who governs: the deployer until it hands over, the council of the hospitals from then on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chain.connect import LOCAL_CHAIN_IDS
from chain.contracts import Contracts
from chain.errors import ChainError
from chain.manager import ADMIN_ROLE
from chain.phases import HospitalStatus
from chain.sender import Sender

MAX_DELAY_SECONDS = 365 * 86_400
MAX_VOTING_SECONDS = 90 * 86_400
MAX_OPENINGS = 63


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


def check_voting(chain_id: int, voting_seconds: int) -> None:
    """Make sure that the council's constructor takes the time for voting, before any contract is paid for.

    Raises:
        ChainError: it is out of range.
    """
    least = 1 if chain_id in LOCAL_CHAIN_IDS else 3_600
    if not least <= voting_seconds <= MAX_VOTING_SECONDS:
        raise ChainError(
            f"for votes a duration of {voting_seconds} s is outside {least}..{MAX_VOTING_SECONDS}: give {least} to "
            f"{MAX_VOTING_SECONDS}"
        )


def check_court(
    *, openings: int, case_seconds: int, max_freeze_seconds: int, amounts: Mapping[str, int]
) -> None:
    """Make sure that the court's constructor takes its parameters, before any contract is paid for.

    Raises:
        ChainError: one is out of range.
    """
    if not 1 <= openings <= MAX_OPENINGS:
        raise ChainError(f"{openings} openings is out of range: give 1 to {MAX_OPENINGS}")
    if not 1 <= case_seconds <= max_freeze_seconds // 3:
        raise ChainError(
            f"a dispute cannot be open for case_seconds of {case_seconds}: give 1 to {max_freeze_seconds // 3} s, a "
            f"third of max_freeze_seconds ({max_freeze_seconds / 10_800:g} hours at most with --case-hours)"
        )
    for name, amount in amounts.items():
        if amount < 1:
            raise ChainError(f"a {name} of {amount} does not work: give more than 0")


def check_objections(voting_seconds: int, delay_seconds: int, arbitration_seconds: int) -> None:
    """Make sure that the council can decide on an objection to a delivery before it lapses in the provider's favour.

    Raises:
        ChainError: a proposal made at once, voted on to the end and queued takes longer.
    """
    needed = voting_seconds + delay_seconds
    if arbitration_seconds <= needed:
        raise ChainError(
            f"an objection lapses after arbitration_seconds of {arbitration_seconds}, but the council takes up to "
            f"{needed} s (council_voting_seconds of {voting_seconds} and council_delay_seconds of {delay_seconds}) to "
            "decide on it: lengthen the first, or shorten the others"
        )


def check_exit(exit_seconds: int, *, judged_seconds: int) -> None:
    """Make sure that a hospital cannot take its bond away before its last entry can no longer be disputed.

    Raises:
        ChainError: the bond is released earlier.
    """
    if exit_seconds < judged_seconds:
        raise ChainError(
            f"a bond is released exit_seconds of {exit_seconds} after a hospital leaves, but its last entry can be "
            f"disputed for {judged_seconds} s (entry, attest, challenge and two times case_seconds): lengthen the first"
        )


def hand_over(contracts: Contracts, governance: Sender) -> None:
    """Make the council the one administrator, with the delay that the deployment's record says. There is no way back.

    Where this was interrupted before, it is finished.

    Every hospital that was admitted has to be active by then: whoever is active first could otherwise propose with a
    council of its own, before the others have a vote.

    Args:
        contracts: the deployment.
        governance: the deployer, who gives its own role up.

    Raises:
        ChainError: a hospital is not active, or none is, so that nobody could govern; the delay is out of range; or the
            deployer has changed anything else in the manager.
        ContractError: the sender does not govern.
    """
    delay = recorded_delay(contracts)
    check_delay(contracts.deployment.chain_id, delay)
    hospitals = contracts.consortium.hospitals()
    if not any(item.status is HospitalStatus.ACTIVE for item in hospitals):
        raise ChainError("no hospital is active: admit the founding hospitals and post their bonds first")
    idle = [item for item in hospitals if item.status not in {HospitalStatus.ACTIVE, HospitalStatus.LEFT}]
    if idle:
        named = ", ".join(f"{item.id} ({item.status.name.lower()})" for item in idle)
        raise ChainError(
            f"not every admitted hospital is active: {named}: post their bonds or reinstate them first"
        )
    known, steps = contracts.deployment, _handing_over(contracts)
    done = max(1, len(contracts.manager.changes(from_block=known.block)))
    _check_changes(contracts, steps[:done])
    if done < 2:
        contracts.manager.grant_admin(governance, known.council, delay_seconds=delay)
    if done < len(steps):
        contracts.manager.renounce_admin(governance)
    check_governed(contracts)


def check_governed(contracts: Contracts) -> None:
    """Make sure that the council governs, with the recorded delay, and nobody else, as it is right after handing over.

    The manager's log says so: nothing but the deployer's role, the council's, and the end of the deployer's. Anything
    besides (another administrator, a role for single functions, another guardian) is a way past the council, or was
    voted since.

    Raises:
        ChainError: it is otherwise.
    """
    known = contracts.deployment
    delay = contracts.council.execution_delay()
    if delay is None:
        raise ChainError(f"the council at {known.council} does not govern: hand over to it")
    if contracts.manager.admin(known.deployer)[0]:
        raise ChainError(
            f"the deployer {known.deployer} still governs beside the council: it has to renounce"
        )
    if delay != recorded_delay(contracts):
        raise ChainError(
            f"the council's changes take effect after {delay} s, the deployment's record says "
            f"{recorded_delay(contracts)} s: deploy again, or read which vote changed it"
        )
    _check_changes(contracts, _handing_over(contracts))


def recorded_delay(contracts: Contracts) -> int:
    """From queueing a carried proposal until it can be executed, as the deployment's record says (seconds).

    Raises:
        ChainError: it does not say.
    """
    delay = contracts.deployment.config.get("council_delay_seconds")
    if not isinstance(delay, int):
        raise ChainError(
            "the deployment's record has no council_delay_seconds: take the record that deploying wrote"
        )
    return delay


def _handing_over(contracts: Contracts) -> list[tuple[str, str]]:
    """What the manager's log has once the council governs: events of the administrator's role, by account."""
    known = contracts.deployment
    return [
        ("RoleGranted", known.deployer),
        ("RoleGranted", known.council),
        ("RoleRevoked", known.deployer),
    ]


def _check_changes(contracts: Contracts, expected: Sequence[tuple[str, str]]) -> None:
    """The manager's settings were changed in this way alone: events of the administrator's role, by account."""
    found = contracts.manager.changes(from_block=contracts.deployment.block)
    wanted = [(name, ADMIN_ROLE, account) for name, account in expected]
    for place, event in enumerate(found):
        actual = (event.name, event.values.get("role_id"), event.values.get("account"))
        if place >= len(wanted) or actual != wanted[place]:
            raise ChainError(
                f"block {event.block} changed who may govern ({event.name}: "
                f"{', '.join(f'{name} {value}' for name, value in event.values.items())}): deploy again, or read which "
                "vote did it"
            )
    if len(found) < len(wanted):
        raise ChainError(
            f"the manager's log from block {contracts.deployment.block} on lacks {wanted[len(found)][0]} of "
            f"{wanted[len(found)][2]}: take the record that deploying wrote"
        )
