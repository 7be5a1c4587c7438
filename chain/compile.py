"""Compile the contracts and keep the result as package data.

`python -m chain.compile` compiles the Solidity sources of a checkout through py-solc-x and rewrites the
artifacts; with `--check` it only says whether they are stale. An installed package has the artifacts and
needs no compiler.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, Final, TypedDict, cast

from chain.errors import CompileError

SOLC_VERSION: Final = "0.8.36"
"""The compiler that every artifact comes from."""

SETTINGS: Final[Mapping[str, Any]] = {
    "optimizer": {"enabled": True, "runs": 200},
    "viaIR": True,
    "evmVersion": "prague",
    "metadata": {"bytecodeHash": "none"},
}
"""Compiler settings; `hardhat.config.js` and `foundry.toml` say the same."""

_PACKAGE: Final = Path(__file__).resolve().parent
_ROOT: Final = _PACKAGE.parent
ARTIFACTS: Final = _PACKAGE / "artifacts"
"""Where the artifacts of the deployed contracts are: package data."""
TEST_ARTIFACTS: Final = _ROOT / "tests" / "artifacts"
"""Where the artifacts of the test harnesses are: in a checkout only."""

_MANAGER: Final = "@openzeppelin/contracts/access/manager/AccessManager.sol"
_OUTPUTS: Final = ["abi", "evm.bytecode.object", "evm.deployedBytecode"]
_IMPORT: Final = re.compile(r"""^\s*import\s+(?:[^"';]*?\s+from\s+)?["']([^"']+)["']\s*;""", re.MULTILINE)


class Artifact(TypedDict):
    """A compiled contract. Bytecodes are 0x-prefixed hex.

    `immutableReferences`: where the deployed bytecode holds an immutable, by "Contract.variable" of its declaration.
    """

    contractName: str
    sourceName: str
    abi: list[dict[str, Any]]
    bytecode: str
    deployedBytecode: str
    immutableReferences: dict[str, list[dict[str, int]]]
    sourceHash: str
    compiler: dict[str, Any]


@cache
def load_artifact(name: str) -> Artifact:
    """The artifact of a deployed contract, by its name; treat it as read-only.

    Raises:
        CompileError: there is no such artifact, or it is not readable.
    """
    return _read(ARTIFACTS / f"{name}.json")


def load_test_artifact(name: str) -> Artifact:
    """The artifact of a test harness; only a checkout has them.

    Raises:
        CompileError: there is no such artifact, or it is not readable.
    """
    return _read(TEST_ARTIFACTS / f"{name}.json")


def artifact_names() -> list[str]:
    """Names of the contracts that `load_artifact` knows."""
    return sorted(path.stem for path in ARTIFACTS.glob("*.json"))


def collect_sources(root: Path = _ROOT) -> dict[str, str]:
    """Source name -> text of every contract of a checkout, its harnesses and whatever they import.

    Raises:
        CompileError: the checkout has no contracts, or an import leads nowhere.
    """
    contracts = root / "contracts"
    if not contracts.is_dir():
        raise CompileError(f"no contracts folder in {root}: compile in a checkout of the repository")
    queue = [
        f.relative_to(root).as_posix() for f in contracts.rglob("*.sol") if not f.name.endswith(".t.sol")
    ]
    queue = [name for name in queue if not name.startswith("contracts/test/") or name.endswith("Harness.sol")]
    sources: dict[str, str] = {}
    while queue:
        name = queue.pop()
        if name in sources:
            continue
        path = root / ("node_modules/" + name if name.startswith("@") else name)
        try:
            sources[name] = path.read_text(encoding="utf-8")
        except OSError as error:
            hint = "run npm ci --ignore-scripts" if name.startswith("@") else "correct the import"
            raise CompileError(f"source {name} is missing: {hint}") from error
        queue.extend(_resolve(name, target) for target in _IMPORT.findall(sources[name]))
    return dict(sorted(sources.items()))


def source_hash(sources: Mapping[str, str]) -> str:
    """SHA-256 (hex) over sources, settings and compiler version: what decides the bytecode."""
    content = {"sources": dict(sources), "settings": dict(SETTINGS), "solc": SOLC_VERSION}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def compile_sources(sources: Mapping[str, str], *, compiler: Path | None = None) -> list[Artifact]:
    """Compile sources; the artifacts of all contracts in them that can be deployed and are ours, or the manager.

    Args:
        sources: source name -> text, imports included.
        compiler: a solc of version `SOLC_VERSION`; by default a native one on PATH, else the npm compiler.

    Raises:
        CompileError: the compiler is missing or of another version, or refuses the sources (its first error).
    """
    import solcx  # noqa: PLC0415 - prepares folders on import, and only compiling needs it
    from solcx.exceptions import SolcError  # noqa: PLC0415

    binary = compiler or find_compiler()
    request = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in sources.items()},
        "settings": {**SETTINGS, "outputSelection": {"*": {"*": _OUTPUTS, "": ["ast"]}}},
    }
    try:
        result = solcx.compile_standard(request, solc_binary=binary)
    except SolcError as error:
        raise CompileError(_first_error(error.stdout_data, str(error.message))) from error
    except (OSError, subprocess.SubprocessError) as error:
        raise CompileError(f"the compiler {binary} does not run: {error}") from error
    digest, names = source_hash(sources), _variable_names(result["sources"].values())
    return [
        _artifact(name, contract, data, digest, names)
        for name, contracts in result["contracts"].items()
        if name.startswith("contracts/") or name == _MANAGER
        for contract, data in contracts.items()
        if contract == PurePosixPath(name).stem and _deployable(name, data)
    ]


def find_compiler() -> Path:
    """A native solc of the pinned version if there is one on PATH, else the wrapper around npm's.

    Raises:
        CompileError: neither can be run.
    """
    native = shutil.which("solc")
    if native is not None and SOLC_VERSION in _version_of(Path(native)):
        return Path(native)
    if shutil.which("node") is None:
        raise CompileError(
            "the compiler needs Node: install Node 20 or later, then run npm ci --ignore-scripts"
        )
    wrapper = _PACKAGE / "solc" / "solc"
    version = _version_of(wrapper)
    if SOLC_VERSION not in version:
        raise CompileError(
            f"npm's solc is {version or 'missing'}, not {SOLC_VERSION}: run npm ci --ignore-scripts"
        )
    return wrapper


def folder_of(artifact: Artifact) -> Path:
    """The folder in which an artifact is kept."""
    return TEST_ARTIFACTS if artifact["sourceName"].startswith("contracts/test/") else ARTIFACTS


def stale_artifacts(sources: Mapping[str, str]) -> list[str]:
    """File names of artifacts that were not made from these sources, settings and compiler; empty if all were."""
    digest = source_hash(sources)
    paths = sorted([*ARTIFACTS.glob("*.json"), *TEST_ARTIFACTS.glob("*.json")])
    stale = [path.name for path in paths if _read(path)["sourceHash"] != digest]
    return stale if paths else ["(none written yet)"]


def write_artifacts(artifacts: Iterable[Artifact]) -> list[Path]:
    """Write artifacts, each in its folder and as a whole, and remove those of contracts that are gone."""
    written = []
    for artifact in artifacts:
        folder = folder_of(artifact)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{artifact['contractName']}.json"
        draft = path.with_suffix(".json.new")
        draft.write_text(json.dumps(artifact, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        os.replace(draft, path)
        written.append(path)
    for path in [*ARTIFACTS.glob("*.json"), *TEST_ARTIFACTS.glob("*.json")]:
        if path not in written:
            path.unlink()
    load_artifact.cache_clear()
    return written


def main(arguments: list[str] | None = None) -> int:
    """`python -m chain.compile [--check]`: 0 if the artifacts are up to date, 1 otherwise."""
    parser = argparse.ArgumentParser(
        prog="python -m chain.compile", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--check", action="store_true", help="only say whether the artifacts are stale")
    options = parser.parse_args(arguments)
    try:
        sources = collect_sources()
        if options.check:
            stale = stale_artifacts(sources)
            print(
                f"stale: {', '.join(stale)}; run python -m chain.compile"
                if stale
                else "artifacts are up to date"
            )
            return 1 if stale else 0
        for path in write_artifacts(compile_sources(sources)):
            print(path.relative_to(_ROOT))
    except CompileError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _read(path: Path) -> Artifact:
    try:
        return cast("Artifact", json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise CompileError(
            f"no artifact of {path.stem}: run python -m chain.compile in a checkout"
        ) from error
    except (OSError, ValueError) as error:
        raise CompileError(f"artifact {path} is not readable: run python -m chain.compile") from error


def _resolve(importer: str, target: str) -> str:
    """The source name of an import."""
    if not target.startswith("."):
        return target
    return os.path.normpath(PurePosixPath(importer).parent / target).replace(os.sep, "/")


def _version_of(binary: Path) -> str:
    command = [str(binary), "--version"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip().rpartition("\n")[2] if done.returncode == 0 else ""


def _first_error(output: str | None, fallback: str) -> str:
    """The compiler's first complaint, on one line."""
    try:
        reports = json.loads(output or "")["errors"]
        text = str(next(report["formattedMessage"] for report in reports if report["severity"] == "error"))
    except (KeyError, StopIteration, TypeError, ValueError):
        text = fallback
    return "the contracts do not compile: " + " ".join(text.split())[:300]


def _deployable(name: str, data: Mapping[str, Any]) -> bool:
    """Neither an interface nor an abstract contract nor a library of internal functions."""
    return bool(data["evm"]["bytecode"]["object"]) and "/libraries/" not in name


def _variable_names(files: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Names, "Contract.variable", by the compiler's numbers, which change with any source before them."""
    return {
        str(member["id"]): f"{contract['name']}.{member['name']}"
        for file in files
        for contract in file["ast"]["nodes"]
        if contract["nodeType"] == "ContractDefinition"
        for member in contract["nodes"]
        if member["nodeType"] == "VariableDeclaration"
    }


def _artifact(
    name: str, contract: str, data: Mapping[str, Any], digest: str, variables: Mapping[str, str]
) -> Artifact:
    deployed = data["evm"]["deployedBytecode"]
    places = deployed.get("immutableReferences", {})
    return Artifact(
        contractName=contract,
        sourceName=name,
        abi=data["abi"],
        bytecode="0x" + data["evm"]["bytecode"]["object"],
        deployedBytecode="0x" + deployed["object"],
        immutableReferences={variables[number]: found for number, found in places.items()},
        sourceHash=digest,
        compiler={"version": SOLC_VERSION, "settings": dict(SETTINGS)},
    )


if __name__ == "__main__":
    sys.exit(main())
