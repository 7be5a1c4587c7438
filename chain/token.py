"""Clients of the two ERC-20s: the participation token, and the settlement token in which bonds are posted."""

from __future__ import annotations

from chain.contract import Contract
from chain.keys import Key
from chain.receipts import Receipt
from chain.sender import Sender
from chain.signing import Domain, EthereumSigner, TypedMessage

Address = str | bytes


class Erc20Client(Contract):
    """What every ERC-20 has; amounts in its smallest unit. Writes raise as `Sender.send` does.

    Used as it is for the settlement token, of which local deployments bring a plain one.
    """

    contract = "LocalSettlementToken"

    def balance_of(self, account: Address) -> int:
        """What an account holds."""
        return int(self.call("balanceOf", account))

    def balances(self, accounts: list[str]) -> list[int]:
        """What several accounts hold, in one request."""
        return [int(value) for value in self.call_many([("balanceOf", [account]) for account in accounts])]

    def allowance(self, owner: Address, spender: Address) -> int:
        """What `spender` may still spend of `owner`'s."""
        return int(self.call("allowance", owner, spender))

    def total_supply(self) -> int:
        """Tokens in existence."""
        return int(self.call("totalSupply"))

    def decimals(self) -> int:
        """Digits after the point when amounts are shown."""
        return int(self.call("decimals"))

    def symbol(self) -> str:
        """Short name."""
        return str(self.call("symbol"))

    def name(self) -> str:
        """Long name."""
        return str(self.call("name"))

    def approve(self, sender: Sender, spender: Address, amount: int) -> Receipt:
        """Let `spender` spend `amount`."""
        return self.transact(sender, "approve", spender, amount)

    def transfer(self, sender: Sender, to: Address, amount: int) -> Receipt:
        """Send tokens."""
        return self.transact(sender, "transfer", to, amount)


class TokenClient(Erc20Client):
    """The participation token."""

    contract = "ParticipationToken"

    def minter(self) -> str:
        """The only account that may mint: the distributor."""
        return str(self.call("minter"))

    def max_supply(self) -> int:
        """The most that may ever be minted."""
        return int(self.call("maxSupply"))

    def total_minted(self) -> int:
        """Minted since the beginning."""
        return int(self.call("totalMinted"))

    def total_burned(self) -> int:
        """Burned since the beginning."""
        return int(self.call("totalBurned"))

    def nonces(self, owner: Address) -> int:
        """Permits used by an account."""
        return int(self.call("nonces", owner))

    def burn(self, sender: Sender, amount: int) -> Receipt:
        """Burn tokens of the sender."""
        return self.transact(sender, "burn", amount)

    def permit_domain(self) -> Domain:
        """The EIP-712 domain of the token's permits (ERC-5267)."""
        _, name, version, chain_id, contract, _, _ = self.call("eip712Domain")
        return Domain(name, version, chain_id, bytes.fromhex(contract[2:]))

    def sign_permit(self, key: Key, spender: Address, amount: int, deadline: int) -> bytes:
        """An owner's ERC-2612 permit for its next nonce (65 bytes: r, s, v)."""
        raw = spender if isinstance(spender, bytes) else bytes.fromhex(spender[2:])
        message = TypedMessage(
            self.permit_domain(),
            "Permit",
            (
                ("owner", "address", key.address_bytes),
                ("spender", "address", raw),
                ("value", "uint256", amount),
                ("nonce", "uint256", self.nonces(key.address)),
                ("deadline", "uint256", deadline),
            ),
        )
        return EthereumSigner(key).sign(message)
