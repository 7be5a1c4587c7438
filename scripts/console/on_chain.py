"""What commands that work on a deployment share: where it is, who signs, and how they answer.

A command takes `OnChain` or `Signing` as its first parameter; `with_options` gives it an option for each field.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Self, TypeVar, cast, get_type_hints

from chain.contracts import Contracts
from chain.keystore import load_key, read_password
from chain.sender import Sender
from scripts.console.options import HOME, ChainId, Home, Json, Keystore, PasswordFile, Url
from scripts.console.output import console, print_json
from scripts.console.session import (
    PASSWORD_VARIABLE,
    open_deployment,
    open_keyring,
    open_outbox,
    open_record_of,
    open_run_contracts,
)

if TYPE_CHECKING:
    from scripts.federation.keyring import Keyring
    from scripts.federation.run_state import RunState


@dataclass(frozen=True)
class OnChain:
    """The deployment that a command reads, opened when it is first asked for."""

    home: Home = HOME
    url: Url = None
    expected_chain: ChainId = None
    as_json: Json = False

    @cached_property
    def contracts(self) -> Contracts:
        """The contracts that the user's folder records, to be read only.

        Raises:
            NodeError: no node answers, or it is on another chain.
            NotDeployed: there are no contracts.
        """
        return open_record_of(self.home, self.url, self.expected_chain)

    def say(self, value: object, text: str) -> None:
        """Answer with JSON where that was asked for, else with a line."""
        if self.as_json:
            print_json(value)
        else:
            console().print(text)


@dataclass(frozen=True)
class Signing(OnChain):
    """The deployment that a command acts on, and the keys that it signs with."""

    keystore: Keystore = None
    password_file: PasswordFile = None

    @cached_property
    def contracts(self) -> Contracts:
        """The contracts that the user's folder records, to be read and sent to; errors as for `OnChain`."""
        return open_deployment(self.home, self.url, self.expected_chain)

    def of_run(self, state: RunState) -> Self:
        """The same, on the contracts that a run was recorded on, see `open_run_contracts`."""
        other = replace(self)
        vars(other)["contracts"] = open_run_contracts(state, self.home, self.url, self.expected_chain)
        return other

    @cached_property
    def keyring(self) -> Keyring:
        """Development keys on a local chain, else the keystores that were named.

        Raises:
            CommandError: keystores are needed and not named.
        """
        return open_keyring(self.contracts.w3, self.keystore, self.password_file)

    def hospital(self, number: int) -> Sender:
        """Who sends as a hospital of the consortium.

        Raises:
            RecordError: there is no such hospital.
        """
        return Sender(
            self.contracts.w3,
            self.keyring.hospital(self.contracts.consortium.hospital(number).id),
            outbox=open_outbox(self.home),
        )

    def anybody(self, keystore: Path) -> Sender:
        """Who sends with a key of its own, in an encrypted keystore file.

        Raises:
            BadKey: the file is no keystore.
            BadPassword: the password is missing, or another one.
        """
        password = read_password(file=self.password_file, env=PASSWORD_VARIABLE)
        return Sender(self.contracts.w3, load_key(keystore, password), outbox=open_outbox(self.home))

    def operator(self) -> Sender:
        """Who sends as the operator of the federation."""
        return Sender(self.contracts.w3, self.keyring.operator(), outbox=open_outbox(self.home))


Shared = TypeVar("Shared", bound=OnChain)
Own = ParamSpec("Own")

_NAMED = inspect.Parameter.KEYWORD_ONLY


def with_options(command: Callable[Concatenate[Shared, Own], None]) -> Callable[..., None]:
    """A command with an option for each field of what it takes first, after the options of its own."""
    first, *own = inspect.signature(command).parameters.values()
    hints = get_type_hints(command, include_extras=True)
    kind = hints[first.name]
    kind_hints = get_type_hints(kind, include_extras=True)
    parameters = [p.replace(annotation=hints[p.name], kind=_NAMED) for p in own]
    parameters += [
        inspect.Parameter(field.name, _NAMED, default=field.default, annotation=kind_hints[field.name])
        for field in fields(kind)
    ]

    @wraps(command)
    def called(**values: object) -> None:
        shared = kind(**{field.name: values.pop(field.name) for field in fields(kind)})
        cast("Callable[..., None]", command)(shared, **values)

    called.__annotations__ = {p.name: p.annotation for p in parameters}
    vars(called)["__signature__"] = inspect.Signature(parameters)
    return called
