"""The Python side of the chain: a local node, deployment, typed clients, and checks of what is recorded.

Import names from their modules; nothing is loaded that is not asked for:

- nodes: `node.AnvilNode` (as long as a block), `daemon` (between commands), `connect.connect`, `clock`
- keys: `keys.Key`, `keystore` (encrypted files), `signing` (EIP-712)
- sending: `sender.Sender`, `batches.send_many`, `gas.GasLedger`
- contracts: `compile` (artifacts), `deploy`, `deployments` (records by chain id), `contracts.open_contracts`,
  and the clients `consortium`, `council`, `manager`, `ledger`, `distributor`, `token`,
  `desk`, `court`; their data in `records`, `phases`, `packing`
- governance: `governance.hand_over`, `proposals.read_call`
- reading back: `history.read_round`, `checks.check_record`
- errors: `errors`, and one exception class a custom Solidity error in `contract_errors`

Knows web3, eth-account and coincurve; no torch, and no other package of this project.
"""
