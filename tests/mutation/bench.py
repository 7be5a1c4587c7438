"""A folder in which forge runs the contracts' tests against mutants, without compiling anything in between.

Forge has compiled the tests. The artifacts that they deploy are exchanged for woven ones, compiled once and plainly;
turning a mutant on overwrites 32 bytes of them.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.mutation.finder import Place
from tests.mutation.mutants import Mutant, find_mutants
from tests.mutation.weave import SWITCH, SWITCH_PATH, patch, weave_source

PLAIN: Final[Mapping[str, Any]] = {
    "viaIR": True,
    # no optimizer: only what keeps the stack within reach
    "optimizer": {
        "enabled": False,
        "details": {"yul": True, "yulDetails": {"stackAllocation": True, "optimizerSteps": "u"}},
    },
    "evmVersion": "prague",
    "metadata": {"bytecodeHash": "none"},
}
WOVEN_TESTS: Final = {
    f"contracts/test/{name}.t.sol": f"{name}Test"
    for name in ("LeafFaults", "Libraries", "Participation", "SumTree")
}
"""Tests that call libraries themselves: these, too, get the woven ones."""
MEASURING: Final = "_costs\\(|_gas\\("
"""Tests that measure gas: woven code costs more."""
_ROUND: Final = (
    *("Acts", "Phases", "Reveals", "Settlement", "Disputes", "Claims", "Disclosed", "Invariants", "Consents"),
    *("Epochs", "Capacities", "Token"),
)
NEAR: Final[Mapping[str, tuple[str, ...]]] = {
    "contracts/consortium/": ("Consortium", "Accounts", "Bonds", "Council", "CourtBonds", "CashOut"),
    "contracts/Consortium.sol": ("Consortium", "Accounts", "Bonds", "Council"),
    "contracts/Council.sol": ("Council", "CouncilInvariants"),
    "contracts/ParticipationToken.sol": ("Token", "Claims", "CashOut"),
    "contracts/desk/": ("Desk", "CashOut", "CashOutInvariants", "Token"),
    "contracts/DisputeCourt.sol": ("Court", "Disputes"),
    "contracts/DisclosedTree.sol": ("Disclosed",),
    "contracts/court/": ("Court", "Disputes"),
    "contracts/RewardDistributor.sol": ("Claims", "Consents", "Invariants", "Disputes", "Epochs", "Token"),
    "contracts/ledger/": (*_ROUND, "Court", "Consortium"),
    "contracts/libraries/PriceLevels.sol": ("CashOut", "CashOutInvariants"),
    "contracts/libraries/Participation.sol": ("Participation", "Court"),
    "contracts/libraries/LeafFaults.sol": ("LeafFaults", "Court"),
    "contracts/libraries/": ("Libraries", "SumTree", *_ROUND, "Council"),
}
"""Source or folder -> how the names of the test files begin that know most of it; the first that fits."""
LEFT_ALONE: Final = frozenset({"contracts/local/LocalSettlementToken.sol"})
"""Not of the product."""
ASSEMBLY_LEFT_ALONE: Final = frozenset({"contracts/DisclosedTree.sol"})
"""One function of loops unrolled by hand, held equal to another implementation by differential tests."""

_CPU_SECONDS: Final = 60
_FUZZ_RUNS: Final = 8


@dataclass(frozen=True)
class Trial:
    """What became of a mutant: the test that noticed it, or nothing."""

    mutant: Mutant
    killer: str


class Bench:
    """The folder, its woven artifacts, and which test files killed mutants of which source."""

    def __init__(self, root: Path, folder: Path):
        self.root, self.folder = root, folder
        self.mutants: list[Mutant] = []
        self._reach: dict[str, set[str]] = {}
        self._artifacts: dict[str, tuple[Path, str]] = {}
        self._killers: dict[str, list[str]] = {}
        self._tests = sorted(
            path.relative_to(root).as_posix()
            for path in (root / "contracts" / "test").glob("*.t.sol")
            if path.name != "Gas.t.sol"
        )

    def prepare(self) -> None:
        """Copy what forge compiled, find the mutants, and compile them all into one set of artifacts."""
        for name in ("contracts", "out", "cache"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
            shutil.copytree(self.root / name, self.folder / name)
        shutil.copy2(self.root / "foundry.toml", self.folder)
        if not (self.folder / "node_modules").exists():
            (self.folder / "node_modules").symlink_to((self.root / "node_modules").resolve())
        self._replay_compiler()
        targets = self._targets()
        sources = self._sources(targets)
        asts = self._compile(sources, {"*": {"": ["ast"]}})["sources"]
        mutated = {
            path: text
            for path, text in sources.items()
            if path.startswith("contracts/")
            and not path.startswith(("contracts/test/", "contracts/interfaces/"))
            and path not in LEFT_ALONE
        }
        self.mutants, places = find_mutants(
            mutated, {path: tree["ast"] for path, tree in asts.items()}, without_assembly=ASSEMBLY_LEFT_ALONE
        )
        self._build(sources, places, targets)

    def passes_without_mutant(self) -> str:
        """The name of a test that fails where no mutant is on; empty, as it should be."""
        return self._run(self._tests, fuzz_runs=_FUZZ_RUNS)

    def try_out(self, mutant: Mutant, *, thorough: bool) -> Trial:
        """Run tests with a mutant on until one fails: those that killed its neighbours first.

        Args:
            mutant: the one to turn on.
            thorough: if no test fails, run them all again as they run otherwise, invariants included.
        """
        touched = [name for name in self._artifacts if mutant.path in self._reach[name]]
        for name in touched:
            path, text = self._artifacts[name]
            path.write_text(patch(text, mutant.number))
        try:
            return Trial(mutant, self._first_failure(mutant.path, thorough=thorough))
        finally:
            for name in touched:
                path, text = self._artifacts[name]
                path.write_text(text)

    # Internals

    def _first_failure(self, path: str, *, thorough: bool) -> str:
        killers = self._killers.setdefault(path, [])
        first = killers[:2]
        killer = self._run(first, fuzz_runs=_FUZZ_RUNS) if first else ""
        if not killer:
            killer = self._run([test for test in self._near(path) if test not in first], fuzz_runs=_FUZZ_RUNS)
        if not killer and thorough:
            killer = self._run(self._tests, fuzz_runs=None)
        file = killer.partition(":")[0]
        if file in self._tests:
            if file in killers:
                killers.remove(file)
            killers.insert(0, file)
        return killer

    def _near(self, path: str) -> list[str]:
        names = next((names for start, names in NEAR.items() if path.startswith(start)), ("",))
        return [test for test in self._tests if Path(test).name.startswith(names)]

    def _run(self, tests: list[str], *, fuzz_runs: int | None) -> str:
        """Run test files until one fails: "file:test", what else ended it, or nothing if all pass."""
        if not tests:
            return ""
        forge = next((self.root / "node_modules" / "@foundry-rs").glob("forge-*/bin/forge"))
        command = [str(forge), "test", "--fail-fast", "--threads", "1"]
        command += ["--match-path", "{" + ",".join(tests) + "}" if len(tests) > 1 else tests[0]]
        command += ["--no-match-test", MEASURING if fuzz_runs is None else f"^invariant_|{MEASURING}"]
        if fuzz_runs is not None:
            command += ["--fuzz-runs", str(fuzz_runs)]
        environment = {
            **os.environ,
            "FOUNDRY_CODE_SIZE_LIMIT": "1000000",
            "FOUNDRY_GAS_SNAPSHOT_EMIT": "false",
        }
        limit = _CPU_SECONDS if fuzz_runs is not None else 10 * _CPU_SECONDS
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit, limit)),
        )
        if done.returncode == 0:
            return ""
        if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
            return "(does not end)"
        suite = re.findall(
            r"^(?:Ran|Encountered).* (?:for|in) (contracts/test/\S+?):", done.stdout, re.MULTILINE
        )
        failed = re.search(
            r"^\[FAIL.*?\b((?:test|invariant_|setUp)\w*)\(", done.stdout, re.MULTILINE | re.DOTALL
        )
        if failed is None:
            raise RuntimeError(f"forge failed without a failing test: {(done.stdout + done.stderr)[-2000:]}")
        return f"{suite[-1]}:{failed[1]}"

    def _replay_compiler(self) -> None:
        """A compiler for forge that answers from a recording, since forge compiles sources without contracts anew."""
        compiler = self.folder / "chain" / "solc" / "solc"
        shutil.rmtree(compiler.parent, ignore_errors=True)
        compiler.parent.mkdir(parents=True)
        real = self.root / "chain" / "solc" / "solc"
        recording = self.folder / "recorded"
        shutil.rmtree(recording, ignore_errors=True)
        recording.mkdir()
        compiler.write_text(
            f'#!/bin/sh\ncase "$1" in --version) name=version;; *) cat > "{recording}/input"; name=output;; esac\n'
            f'[ -e "{recording}/$name" ] || "{real}" "$@" < "{recording}/input" > "{recording}/$name"\n'
            f'exec cat "{recording}/$name"\n'
        )
        compiler.chmod(0o755)
        (recording / "input").write_text("")

    def _targets(self) -> dict[str, str]:
        """Source path -> the contract that tests deploy."""
        named = {path.stem for path in (self.root / "chain" / "artifacts").glob("*.json")}
        found = {
            path.relative_to(self.root).as_posix(): path.stem
            for path in (self.root / "contracts").glob("*.sol")
            if path.stem in named
        }
        return {**found, **WOVEN_TESTS}

    def _sources(self, targets: Iterable[str]) -> dict[str, str]:
        """The targets and whatever they import; by target, which of them it reaches."""
        sources: dict[str, str] = {}
        for target in targets:
            queue, reach = [target], self._reach.setdefault(target, set())
            while queue:
                name = queue.pop()
                if name in reach:
                    continue
                reach.add(name)
                path = self.root / ("node_modules/" + name if name.startswith("@") else name)
                sources[name] = path.read_bytes().decode("latin-1")
                for found in re.findall(r"""^import[^"';]*["']([^"']+)["'];""", sources[name], re.MULTILINE):
                    relative = found.startswith(".")
                    queue.append(os.path.normpath(Path(name).parent / found) if relative else found)
        return sources

    def _build(
        self, sources: Mapping[str, str], places: list[tuple[int, Place]], targets: Mapping[str, str]
    ) -> None:
        by_path: dict[str, list[tuple[int, Place]]] = {}
        for number, place in places:
            by_path.setdefault(place.path, []).append((number, place))
        woven = {path: weave_source(path, sources[path], found) for path, found in by_path.items()}
        for path, name in targets.items():
            own = {other: woven.get(other, sources[other]) for other in self._reach[path]}
            evm = self._woven_contract(path, name, {**own, SWITCH_PATH: SWITCH})
            artifact = self.folder / "out" / Path(path).name / f"{name}.json"
            content = json.loads(artifact.read_text())
            for part in ("bytecode", "deployedBytecode"):
                content[part]["object"] = "0x" + evm[part]["object"]
            text = json.dumps(content)
            artifact.write_text(text)
            self._artifacts[path] = (artifact, text)

    def _woven_contract(self, path: str, name: str, sources: Mapping[str, str]) -> dict[str, Any]:
        """Bytecodes of one contract; kept, since the ledger's alone take a minute."""
        digest = hashlib.sha256(json.dumps([sources, PLAIN], sort_keys=True).encode()).hexdigest()
        kept = self.folder / "woven" / f"{name}.json"
        if kept.exists():
            content: dict[str, Any] = json.loads(kept.read_text())
            if content["digest"] == digest:
                return dict(content["evm"])
        wanted = {path: {name: ["evm.bytecode.object", "evm.deployedBytecode.object"]}}
        evm: dict[str, Any] = self._compile(sources, wanted)["contracts"][path][name]["evm"]
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(json.dumps({"digest": digest, "evm": evm}))
        return evm

    def _compile(self, sources: Mapping[str, str], wanted: Mapping[str, Any]) -> dict[str, Any]:
        request = {
            "language": "Solidity",
            "sources": {
                path: {"content": text.encode("latin-1").decode()} for path, text in sorted(sources.items())
            },
            "settings": {**PLAIN, "outputSelection": wanted},
        }
        done = subprocess.run(
            [str(self.root / "chain" / "solc" / "solc"), "--standard-json"],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            check=True,
        )
        result: dict[str, Any] = json.loads(done.stdout)
        complaints = [report for report in result.get("errors", []) if report["severity"] == "error"]
        if complaints:
            raise RuntimeError("".join(report["formattedMessage"] for report in complaints))
        return result
