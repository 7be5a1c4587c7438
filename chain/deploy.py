"""Deploying the contracts of a consortium, and bringing hospitals in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from chain.begun import BegunDeployment
from chain.connect import LOCAL_CHAIN_IDS, NOBODY, chain_identity, to_address
from chain.consortium import ConsortiumClient
from chain.contracts import Contracts, open_contracts
from chain.creations import Creations
from chain.deployments import Deployment, check_present
from chain.errors import ChainError, Miswired
from chain.governance import check_court, check_delay, check_exit, check_objections, check_voting
from chain.receipts import Receipt
from chain.records import LedgerParams, RuleRecord
from chain.sender import Sender
from chain.shapes import RuleLike
from chain.token import Erc20Client

TOKEN = 10**18
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


@dataclass(frozen=True)
class DeployConfig:
    """What is fixed when a consortium's contracts are deployed. The defaults suit work by the day.

    Attributes:
        rule: the first reward rule.
        max_supply: upper bound of everything ever allocated, in the token's smallest unit; below 2^96.
        initial_emission: base emission of round 1.
        emission_decay_bps: each round's emission is the previous one's times this over 10_000.
        bonus_per_point: bonus for each point by which the median model score beats the best so far.
        bonus_cap: largest bonus of one round.
        k_min: fewest devices of an entry.
        rho_cap_micro: largest declared rho of a round, in millionths.
        ready_seconds: duration of the ready phase (and so on for the other phases).
        training_seconds: of the training phase.
        commit_seconds: of the commit phase.
        reveal_seconds: of the reveal phase.
        entry_seconds: of the entry phase.
        attest_seconds: of the attest phase.
        challenge_seconds: between closing and the first claim.
        idle_seconds: from closing until any hospital may open the next round.
        max_freeze_seconds: until anyone may release a frozen entry.
        bond_amount: bond of a hospital, in the settlement token's smallest unit.
        exit_seconds: from leaving until the bond is released; not before a last entry is past dispute.
        min_fulfil_seconds: shortest time a service may give its provider.
        min_buyer_seconds: shortest time a service may give its buyer.
        arbitration_seconds: time governance has to decide on an objection; more than the council's voting and delay.
        council_voting_seconds: how long hospitals may vote on a proposal.
        council_delay_seconds: from queueing a carried proposal until it can be executed; zero on local chains only.
        challenge_bond: bond of a challenge, in the settlement token's smallest unit.
        slash_amount: what a proved fault takes from a hospital's bond.
        case_seconds: how long a dispute is open; at most a third of max_freeze_seconds.
        openings: how many random leaves a demand draws.
        cash_out_seconds: length of an epoch in which cash-out requests are queued.
        cash_out_price_cap: the most that a whole token is cashed out for, in the settlement token's smallest unit.
        disclosed: whether hospitals may put their devices' scores in clear on chain; see docs/privacy.md.
        settlement: the ERC-20 in which bonds are posted; None brings a plain one (local chains only).
        settlement_supply: supply of that plain one.
    """

    rule: RuleLike
    max_supply: int = 100_000_000 * TOKEN
    initial_emission: int = 10_000 * TOKEN
    emission_decay_bps: int = 10_000
    bonus_per_point: int = 0
    bonus_cap: int = 0
    k_min: int = 16
    rho_cap_micro: int = 10_000_000
    ready_seconds: int = 4 * _HOUR
    training_seconds: int = 2 * _DAY
    commit_seconds: int = _DAY
    reveal_seconds: int = _DAY
    entry_seconds: int = _DAY
    attest_seconds: int = _DAY
    challenge_seconds: int = 3 * _DAY
    idle_seconds: int = 7 * _DAY
    max_freeze_seconds: int = 30 * _DAY
    bond_amount: int = 1_000 * TOKEN
    exit_seconds: int = 60 * _DAY
    min_fulfil_seconds: int = _HOUR
    min_buyer_seconds: int = _HOUR
    arbitration_seconds: int = 14 * _DAY
    council_voting_seconds: int = 7 * _DAY
    council_delay_seconds: int = 2 * _DAY
    challenge_bond: int = 100 * TOKEN
    slash_amount: int = 500 * TOKEN
    case_seconds: int = 7 * _DAY
    openings: int = 8
    cash_out_seconds: int = 30 * _DAY
    cash_out_price_cap: int = TOKEN
    disclosed: bool = False
    settlement: str | None = None
    settlement_supply: int = 1_000_000_000 * TOKEN

    @classmethod
    def local(cls, rule: RuleLike, *, k_min: int = 4) -> DeployConfig:
        """For a local chain: small groups, phases of minutes that the node's clock can be moved past."""
        return cls(
            rule=rule,
            k_min=k_min,
            ready_seconds=5 * _MINUTE,
            training_seconds=_HOUR,
            commit_seconds=10 * _MINUTE,
            reveal_seconds=10 * _MINUTE,
            entry_seconds=10 * _MINUTE,
            attest_seconds=10 * _MINUTE,
            challenge_seconds=_HOUR,
            idle_seconds=_DAY,
            max_freeze_seconds=2 * _DAY,
            exit_seconds=_DAY,
            min_fulfil_seconds=_MINUTE,
            min_buyer_seconds=_MINUTE,
            arbitration_seconds=_DAY,
            council_voting_seconds=_HOUR,
            council_delay_seconds=0,
            case_seconds=_HOUR,
            cash_out_seconds=_HOUR,
        )

    def instant(self) -> DeployConfig:
        """The same with phases of no duration, in which anyone may move on at once (local chains only)."""
        return replace(
            self,
            ready_seconds=0,
            training_seconds=0,
            commit_seconds=0,
            reveal_seconds=0,
            entry_seconds=0,
            attest_seconds=0,
            challenge_seconds=0,
            idle_seconds=0,
        )

    def ledger_params(self, disclosed_tree: str = NOBODY) -> LedgerParams:
        """What the ledger's constructor takes, with what builds the trees of disclosed entries."""
        names = LedgerParams.__dataclass_fields__.keys() - {"disclosed_tree"}
        return LedgerParams(**{name: getattr(self, name) for name in names}, disclosed_tree=disclosed_tree)

    def as_json(self) -> dict[str, object]:
        """For the deployment's record; amounts as text, since JSON numbers end at 2^53."""
        plain = {name: str(value) if _is_large(value) else value for name, value in asdict(self).items()}
        names = RuleRecord.__dataclass_fields__
        rule = {name: getattr(self.rule, name) for name in names}
        return {
            **plain,
            "rule": {name: list(v) if isinstance(v, Sequence) else v for name, v in rule.items()},
        }


def deploy(
    sender: Sender,
    config: DeployConfig,
    *,
    coordinator: str | None = None,
    begun: BegunDeployment | None = None,
) -> Deployment:
    """Deploy all contracts with the sender as first governance and guardian.

    It admits the founding hospitals and, once all of them are active, hands over to the council with
    `governance.hand_over`.

    Args:
        sender: pays, and administers the AccessManager until it hands over.
        config: what is fixed.
        coordinator: who opens rounds; the sender by default.
        begun: where a deployment of the same terms was interrupted, which this one goes on with.

    Raises:
        ChainError: no settlement token was named off a local chain.
        Miswired: the contracts do not fit together.
        ContractError: a parameter is out of range.
    """
    w3 = sender.w3
    chain_id, genesis = chain_identity(w3)
    if config.settlement is None and chain_id not in LOCAL_CHAIN_IDS:
        raise ChainError(
            f"chain {chain_id} is not a local one: name the settlement token in which bonds are posted"
        )
    if config.settlement is not None and not Erc20Client(w3, config.settlement).has_code():
        raise ChainError(
            f"there is no token at {config.settlement} on chain {chain_id}: give its right address"
        )
    check_delay(chain_id, config.council_delay_seconds)
    check_voting(chain_id, config.council_voting_seconds)
    check_court(
        openings=config.openings,
        case_seconds=config.case_seconds,
        max_freeze_seconds=config.max_freeze_seconds,
        amounts={"challenge_bond": config.challenge_bond, "slash_amount": config.slash_amount},
    )
    check_objections(config.council_voting_seconds, config.council_delay_seconds, config.arbitration_seconds)
    check_exit(
        config.exit_seconds,
        judged_seconds=config.entry_seconds
        + config.attest_seconds
        + config.challenge_seconds
        + 2 * config.case_seconds,
    )
    made = Creations(sender, [] if begun is None else begun.created(sender))
    begun = begun or BegunDeployment.now(sender)
    authority = made.create("AccessManager", sender.address)
    settlement = (
        to_address(config.settlement)
        if config.settlement is not None
        else made.create("LocalSettlementToken", config.settlement_supply)
    )
    consortium = made.create(
        "Consortium",
        authority,
        settlement,
        config.bond_amount,
        config.exit_seconds,
        coordinator or sender.address,
        sender.address,
    )
    council = made.create("Council", consortium, config.council_voting_seconds)
    tree = made.create("DisclosedTree") if config.disclosed else NOBODY
    ledger = made.create("ContributionLedger", consortium, config.ledger_params(tree), config.rule)
    with sender.nonces.lock:  # nothing of ours may come between the token and the distributor that it names
        token = made.create("ParticipationToken", made.after_next(), config.max_supply)
        distributor = made.create("RewardDistributor", ledger, token)
    desk = made.create(
        "RedemptionDesk",
        token,
        consortium,
        config.min_fulfil_seconds,
        config.min_buyer_seconds,
        config.arbitration_seconds,
        config.cash_out_seconds,
        config.cash_out_price_cap,
    )
    court = made.create(
        "DisputeCourt",
        ledger,
        config.challenge_bond,
        config.slash_amount,
        config.case_seconds,
        config.openings,
    )
    deployment = Deployment(
        chain_id=chain_id,
        genesis="0x" + genesis.hex(),
        block=begun.block,
        deployer=sender.address,
        authority=authority,
        settlement=settlement,
        consortium=consortium,
        council=council,
        token=token,
        ledger=ledger,
        distributor=distributor,
        desk=desk,
        court=court,
        disclosed_tree=tree if config.disclosed else None,
        config=config.as_json(),
    )
    check_present(deployment, w3)
    contracts = open_contracts(w3, deployment)
    _check_stored(contracts, config.rule, to_address(coordinator or sender.address))
    if contracts.consortium.dispute_court() != court:
        contracts.consortium.set_dispute_court(sender, court)
    if contracts.consortium.slash_recipient() != desk:
        contracts.consortium.set_slash_recipient(sender, desk)
    check_wiring(contracts)
    return deployment


def check_wiring(contracts: Contracts) -> None:
    """Make sure that the deployed contracts name each other.

    Raises:
        Miswired: one names another address.
    """
    known = contracts.deployment
    found = {
        "token's minter": (contracts.token.minter(), known.distributor),
        "distributor's ledger": (contracts.distributor.call("ledger"), known.ledger),
        "distributor's token": (contracts.distributor.call("token"), known.token),
        "ledger's consortium": (contracts.ledger.call("consortium"), known.consortium),
        "desk's consortium": (contracts.desk.call("consortium"), known.consortium),
        "desk's token": (contracts.desk.call("token"), known.token),
        "court's ledger": (contracts.court.call("ledger"), known.ledger),
        "consortium's court": (contracts.consortium.dispute_court(), known.court),
        "desk's settlement token": (contracts.desk.call("settlement"), known.settlement),
        "consortium's settlement token": (contracts.consortium.settlement(), known.settlement),
        "consortium's authority": (contracts.consortium.call("authority"), known.authority),
        "consortium's recipient of slashed bonds": (contracts.consortium.slash_recipient(), known.desk),
        "council's consortium": (contracts.council.call("consortium"), known.consortium),
        "council's manager": (contracts.council.call("manager"), known.authority),
        "ledger's tree of disclosed entries": (
            contracts.ledger.params().disclosed_tree,
            known.disclosed_tree or NOBODY,
        ),
        "ledger's authority": (contracts.ledger.call("authority"), known.authority),
    }
    for what, (actual, expected) in found.items():
        if actual != expected:
            raise Miswired(
                f"the {what} is {actual}, expected {expected}: another program sent with the deployer's key "
                "meanwhile, deploy again"
            )
    if contracts.token.max_supply() != contracts.ledger.params().max_supply:
        raise Miswired("token and ledger have different maximum supplies: deploy again")


def _check_stored(contracts: Contracts, rule: RuleLike, coordinator: str) -> None:
    """Make sure that constructor parameters which are in storage, and in no code, are those of the deployment's terms.

    Raises:
        Miswired: one is another.
    """
    kept, named = contracts.ledger.rule(1), contracts.consortium.coordinator()
    names = RuleRecord.__dataclass_fields__
    same = all(_comparable(getattr(kept, name)) == _comparable(getattr(rule, name)) for name in names)
    if not same or named != coordinator:
        raise Miswired(
            f"the consortium at {contracts.consortium.address} has another {'coordinator' if same else 'first rule'} "
            "than these terms: another program sent with the deployer's key meanwhile, deploy again"
        )


def _comparable(value: object) -> object:
    return tuple(value) if isinstance(value, Sequence) else value


def admit_hospital(contracts: Contracts, governance: Sender, account: str | bytes, capacity_bps: int) -> int:
    """Governance admits a hospital with its voted capacity; returns its id. Its bond is posted later."""
    return contracts.consortium.admit(governance, account, capacity_bps)


def fund_hospital(contracts: Contracts, holder: Sender, account: str | bytes, amount: int) -> None:
    """Whoever holds settlement tokens gives a hospital what it lacks of an amount, in their smallest unit."""
    lack = amount - contracts.settlement.balance_of(account)
    if lack > 0:
        contracts.settlement.transfer(holder, account, lack)


def post_bond(contracts: Contracts, hospital: Sender) -> Receipt:
    """The admitted hospital approves and posts its bond out of its settlement tokens, and is active."""
    consortium: ConsortiumClient = contracts.consortium
    settlement: Erc20Client = contracts.settlement
    bond = consortium.bond_amount()
    if settlement.allowance(hospital.address, consortium.address) < bond:
        settlement.approve(hospital, consortium.address, bond)
    return consortium.post_bond(hospital)


def _is_large(value: object) -> bool:
    return isinstance(value, int) and abs(value) >= 1 << 53
