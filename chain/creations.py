"""Creating a deployment's contracts one after the other, or taking those that an interrupted attempt has created."""

from __future__ import annotations

from dataclasses import dataclass, field

from web3.utils.address import get_create_address

from chain.abi import abi_of
from chain.compile import Artifact, load_artifact
from chain.connect import to_address
from chain.errors import ChainError, Miswired
from chain.immutables import deployment_times
from chain.receipts import Call
from chain.reverts import explain
from chain.rpc import RpcError, request
from chain.sender import Sender
from chain.verify import immutable_values, masked

_OF_ITS_PLACE = frozenset({"EIP712._cachedThis", "EIP712._cachedDomainSeparator"})
"""Immutables that hold the contract's own address."""


@dataclass
class Creations:
    """Creates contracts one after the other; the first of them may be there already, from an interrupted attempt.

    Attributes:
        sender: pays.
        there: what the sender has created since that attempt began, and has not been taken yet.
    """

    sender: Sender
    there: list[str] = field(default_factory=list)

    def create(self, contract: str, *arguments: object) -> str:
        """The address of the next contract; see `create_contract`.

        Raises:
            Miswired: what is there is another contract, or has other parameters.
        """
        if not self.there:
            return create_contract(self.sender, contract, *arguments)
        address = self.there.pop(0)
        if not self._is(address, contract, arguments):
            raise Miswired(
                f"what {self.sender.address} created at {address} is not the {contract} of these terms: another "
                "program sent with the deployer's key meanwhile, deploy again"
            )
        return address

    def after_next(self) -> str:
        """Where the contract after the next one is, if nothing else of the sender's comes between."""
        if len(self.there) > 1:
            return self.there[1]
        nonce = int(request(self.sender.w3, "eth_getTransactionCount", self.sender.address, "pending"), 16)
        return str(get_create_address(self.sender.address, nonce + 1 - len(self.there)))  # type: ignore[arg-type]

    def _is(self, address: str, contract: str, arguments: tuple[object, ...]) -> bool:
        """Whether the code there is what the creation would leave, but for when and where it was."""
        w3, artifact = self.sender.w3, load_artifact(contract)
        call = _creation(contract, arguments)
        found = _code(request(w3, "eth_getCode", address, "latest"))
        try:
            wanted = _code(request(w3, "eth_call", call.as_json(self.sender.address), "latest"))
        except RpcError as error:
            raise explain(error, label=call.label, sender=self.sender.address) from error
        if len(found) != len(wanted) or masked(found, artifact) != masked(wanted, artifact):
            return False
        return _parameters(found, artifact) == _parameters(wanted, artifact)


def create_contract(sender: Sender, contract: str, *arguments: object) -> str:
    """Deploy one compiled contract and return its address.

    Args:
        sender: pays.
        contract: its Solidity name.
        arguments: the constructor's, in Solidity's order.

    Raises:
        ContractError: the constructor refuses the arguments.
    """
    receipt = sender.send(_creation(contract, arguments))
    if receipt.contract is None:
        raise ChainError(f"the node did not say where {contract} was created: check the node")
    return to_address(receipt.contract)


def _creation(contract: str, arguments: tuple[object, ...]) -> Call:
    code = _code(load_artifact(contract)["bytecode"])
    return Call(None, code + abi_of(contract).constructor.encode(arguments), f"{contract}.constructor")


def _parameters(code: bytes, artifact: Artifact) -> dict[str, set[bytes]]:
    own = _OF_ITS_PLACE | deployment_times()
    return {name: held for name, held in immutable_values(code, artifact).items() if name not in own}


def _code(text: object) -> bytes:
    return bytes.fromhex(str(text).removeprefix("0x"))
