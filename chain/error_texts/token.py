"""What the errors of ParticipationToken mean, and what to do."""

from __future__ import annotations

TOKEN_TEXTS = {
    "NotMinter(address)": "{caller} may not mint: only the distributor mints, against claims",
    "SupplyCapExceeded(uint256,uint256,uint256)": (
        "minting {amount:tokens} on top of {minted:tokens} would exceed the maximum supply of "
        "{maximum:tokens}"
    ),
    "InvalidConstruction()": "the token's minter or maximum supply is zero: correct the deployment",
    "ERC20InsufficientBalance(address,uint256,uint256)": (
        "{sender} holds {balance:tokens}, {needed:tokens} are needed: earn or receive tokens first"
    ),
    "ERC20InsufficientAllowance(address,uint256,uint256)": (
        "{spender} may spend {allowance:tokens}, {needed:tokens} are needed: approve that amount first"
    ),
    "ERC20InvalidApprover(address)": "{approver} cannot approve",
    "ERC20InvalidReceiver(address)": "{receiver} cannot receive tokens: give another address",
    "ERC20InvalidSender(address)": "{sender} cannot send tokens",
    "ERC20InvalidSpender(address)": "{spender} cannot be approved: give another address",
    "ERC2612ExpiredSignature(uint256)": "the permit expired {deadline:time}: sign a new one",
    "ERC2612InvalidSigner(address,address)": (
        "the permit was signed by {signer}, not by {owner}: sign it with the owner's key"
    ),
    "InvalidAccountNonce(address,uint256)": (
        "the permit of {account} was used already, its next nonce is {current_nonce}: sign a new one"
    ),
    "SafeERC20FailedOperation(address)": "token {token} refused a transfer: check balance and allowance",
}
