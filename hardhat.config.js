// Compiles the same sources as `python -m chain.compile`, offline, with the npm compiler, to the same bytecode.
const { subtask } = require("hardhat/config");
const {
  TASK_COMPILE_SOLIDITY_GET_SOLC_BUILD,
  TASK_COMPILE_SOLIDITY_GET_SOURCE_PATHS,
} = require("hardhat/builtin-tasks/task-names");
const solc = require("solc/package.json");

const VERSION = "0.8.36";

subtask(TASK_COMPILE_SOLIDITY_GET_SOLC_BUILD, async ({ solcVersion }) => {
  if (solcVersion !== solc.version) {
    throw new Error(`solc ${solcVersion} is asked for, npm has ${solc.version}: run npm ci --ignore-scripts`);
  }
  return {
    compilerPath: require.resolve("solc/soljson.js"),
    isSolcJs: true,
    version: solcVersion,
    longVersion: solc.version,
  };
});

// The tests under contracts/test are Foundry's.
subtask(TASK_COMPILE_SOLIDITY_GET_SOURCE_PATHS, async (_, __, runSuper) =>
  (await runSuper()).filter((path) => !/[\\/]contracts[\\/]test[\\/]/.test(path)),
);

/** @type {import("hardhat/config").HardhatUserConfig} */
module.exports = {
  solidity: {
    version: VERSION,
    settings: {
      optimizer: { enabled: true, runs: 200 },
      viaIR: true,
      evmVersion: "prague",
      metadata: { bytecodeHash: "none" },
    },
  },
  networks: { hardhat: { chainId: Number(process.env.FEDIOMT_CHAIN_ID || 31337), hardfork: "prague" } },
  paths: {
    sources: "./contracts",
    artifacts: process.env.FEDIOMT_HARDHAT_OUT || "./artifacts-hardhat",
    cache: process.env.FEDIOMT_HARDHAT_OUT ? `${process.env.FEDIOMT_HARDHAT_OUT}/cache` : "./cache/hardhat",
  },
};
