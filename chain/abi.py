"""Contract ABIs: encoding calls, decoding results, events and errors.

Structs go in as any object whose attributes have the snake_case names of the Solidity fields, and come out as
dictionaries under the same names, so that nothing depends on the order of a struct's fields.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode
from eth_abi.exceptions import DecodingError, EncodingError
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from chain.compile import load_artifact
from chain.errors import ChainError, RecordError

ZERO_ADDRESS = "0x" + "00" * 20
_WORD_BOUNDARY = re.compile(r"(?<=[a-z0-9])([A-Z])")


def snake(name: str) -> str:
    """`weightTreasury` -> `weight_treasury`."""
    return _WORD_BOUNDARY.sub(r"_\1", name).lower().strip("_")


@dataclass(frozen=True)
class Parameter:
    """One input or output: snake_case name, canonical ABI type, fields of a struct, indexed in an event."""

    name: str
    type: str
    components: tuple[Parameter, ...] = ()
    indexed: bool = False

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Parameter:
        """From an ABI entry."""
        components = tuple(cls.of(item) for item in entry.get("components", ()))
        kind = str(entry["type"])
        if components:
            kind = "(" + ",".join(item.type for item in components) + ")" + kind.removeprefix("tuple")
        return cls(snake(str(entry.get("name", ""))), kind, components, bool(entry.get("indexed", False)))


@dataclass(frozen=True)
class Member:
    """A function, event, error or constructor of a contract."""

    contract: str
    name: str
    inputs: tuple[Parameter, ...]
    outputs: tuple[Parameter, ...] = ()
    id: bytes = field(default=b"", repr=False)

    @property
    def signature(self) -> str:
        """Canonical signature, e.g. `attest(uint64,bytes32)`."""
        return f"{self.name}({','.join(item.type for item in self.inputs)})"

    @property
    def label(self) -> str:
        """`Contract.member`."""
        return f"{self.contract}.{self.name}"

    def encode(self, arguments: Sequence[object]) -> bytes:
        """Selector and encoded arguments (a constructor has no selector).

        Raises:
            RecordError: a value does not fit its type.
        """
        if len(arguments) != len(self.inputs):
            raise RecordError(f"{self.label} takes {len(self.inputs)} arguments, {len(arguments)} given")
        plain = [
            _plain(self.label, parameter, value)
            for parameter, value in zip(self.inputs, arguments, strict=True)
        ]
        try:
            return self.id + abi_encode([item.type for item in self.inputs], plain)
        except (EncodingError, TypeError, ValueError) as error:
            raise RecordError(f"{self.label}: {_culprit(self.inputs, plain)}") from error

    def decode_output(self, data: bytes) -> Any:  # noqa: ANN401 - what the ABI says
        """A function's result: None, the value, or a tuple of several.

        Raises:
            RecordError: the data are not what the function returns.
        """
        values = _decode(self.label, self.outputs, data)
        return values[0] if len(values) == 1 else (values or None)

    def decode_input(self, data: bytes) -> dict[str, Any]:
        """Arguments by name, from data after the selector (also those of an error).

        Raises:
            RecordError: the data do not fit.
        """
        values = _decode(self.label, self.inputs, data)
        return {
            item.name or str(i): value
            for i, (item, value) in enumerate(zip(self.inputs, values, strict=True))
        }

    def decode_log(self, topics: Sequence[bytes], data: bytes) -> dict[str, Any]:
        """An event's values by name.

        Raises:
            RecordError: the log does not fit.
        """
        plain = [item for item in self.inputs if not item.indexed]
        values = dict(zip((item.name for item in plain), _decode(self.label, plain, data), strict=True))
        indexed = [item for item in self.inputs if item.indexed]
        for item, topic in zip(indexed, topics[1:], strict=True):
            static = not (item.components or item.type.endswith("]") or item.type in {"string", "bytes"})
            values[item.name] = _decode(self.label, [item], topic)[0] if static else topic
        return values


@dataclass(frozen=True)
class Abi:
    """One contract's interface."""

    contract: str
    constructor: Member
    functions: Mapping[str, Member]
    events: Mapping[bytes, Member]
    errors: Mapping[bytes, Member]

    @classmethod
    def parse(cls, contract: str, entries: Sequence[Mapping[str, Any]]) -> Abi:
        """From a compiler's ABI list. Of overloaded functions the first keeps the plain name."""
        constructor = Member(contract, "constructor", ())
        functions: dict[str, Member] = {}
        events: dict[bytes, Member] = {}
        errors: dict[bytes, Member] = {}
        for entry in entries:
            inputs = tuple(Parameter.of(item) for item in entry.get("inputs", ()))
            outputs = tuple(Parameter.of(item) for item in entry.get("outputs", ()))
            bare = Member(contract, str(entry.get("name", "constructor")), inputs, outputs)
            digest = keccak(text=bare.signature)
            if entry["type"] == "constructor":
                constructor = bare
            elif entry["type"] == "function":
                member = Member(contract, bare.name, inputs, outputs, digest[:4])
                functions.setdefault(member.name, member)
                functions[member.signature] = member
            elif entry["type"] == "event":
                events[digest] = Member(contract, bare.name, inputs, (), digest)
            elif entry["type"] == "error":
                errors[digest[:4]] = Member(contract, bare.name, inputs, (), digest[:4])
        return cls(contract, constructor, functions, events, errors)

    def function(self, name: str) -> Member:
        """A function by name, or by signature where it is overloaded.

        Raises:
            ChainError: the contract has no such function.
        """
        if name not in self.functions:
            raise ChainError(f"{self.contract} has no function {name}: run `python -m chain.compile`")
        return self.functions[name]

    def event(self, name: str) -> Member:
        """An event by name.

        Raises:
            ChainError: the contract has no such event.
        """
        for member in self.events.values():
            if member.name == name:
                return member
        raise ChainError(f"{self.contract} has no event {name}: run `python -m chain.compile`")


@cache
def abi_of(contract: str) -> Abi:
    """The ABI of a compiled contract, from the package's artifacts."""
    return Abi.parse(contract, load_artifact(contract)["abi"])


def _plain(label: str, parameter: Parameter, value: object) -> Any:  # noqa: ANN401 - what the ABI says
    if parameter.type.endswith("]"):
        if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
            raise RecordError(f"{label}: {parameter.name} must be a list, not {value!r}")
        element = Parameter(
            parameter.name, parameter.type[: parameter.type.rindex("[")], parameter.components
        )
        return [_plain(label, element, item) for item in value]
    if parameter.components:
        if isinstance(value, Mapping):
            fields = [value.get(item.name) for item in parameter.components]
        elif isinstance(value, tuple) and not hasattr(value, "_fields"):
            fields = list(value)
        else:
            fields = [getattr(value, item.name, None) for item in parameter.components]
        return tuple(
            _plain(label, item, part) for item, part in zip(parameter.components, fields, strict=True)
        )
    if parameter.type == "address":
        return ZERO_ADDRESS if value is None else value
    return value


def _present(parameter: Parameter, value: Any) -> Any:  # noqa: ANN401 - what the ABI says
    if parameter.type.endswith("]"):
        element = Parameter(
            parameter.name, parameter.type[: parameter.type.rindex("[")], parameter.components
        )
        return tuple(_present(element, item) for item in value)
    if parameter.components:
        return {
            item.name: _present(item, part) for item, part in zip(parameter.components, value, strict=True)
        }
    return _checksummed(value) if parameter.type == "address" else value


@lru_cache(maxsize=65_536)
def _checksummed(address: str) -> str:
    return str(to_checksum_address(address))


def _decode(label: str, parameters: Sequence[Parameter], data: bytes) -> tuple[Any, ...]:
    try:
        values = abi_decode([item.type for item in parameters], data)
    except (DecodingError, ValueError, OverflowError) as error:
        raise RecordError(
            f"{label} returned {len(data)} bytes that do not fit: the deployed contract is another version"
        ) from error
    return tuple(_present(item, value) for item, value in zip(parameters, values, strict=True))


def _culprit(parameters: Sequence[Parameter], values: Sequence[object]) -> str:
    for parameter, value in zip(parameters, values, strict=True):
        leaves = (
            zip(parameter.components, value, strict=True)
            if parameter.components and isinstance(value, tuple)
            else [(parameter, value)]
        )
        for leaf, part in leaves:
            try:
                abi_encode([leaf.type], [part])
            except (EncodingError, TypeError, ValueError):
                return f"{leaf.name} = {part!r} does not fit {leaf.type}"
    return "the arguments do not fit"
