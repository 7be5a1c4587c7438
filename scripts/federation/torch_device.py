"""Where torch computes: checked before any work is done for a run."""

from __future__ import annotations

import re

import torch

from fl_core.errors import SpecError

_NAME = re.compile(r"cpu|cuda(?::(\d{1,3}))?")


def check_device_name(name: str) -> None:
    """Refuse what names no device of torch, whether there is such a device or not.

    Raises:
        SpecError: it is neither cpu nor cuda, nor cuda with a number.
    """
    if not _NAME.fullmatch(name):
        raise SpecError(f"device {name!r}: choose cpu, cuda, or one of several GPUs such as cuda:1")


def require_device(name: str) -> None:
    """Refuse a device that is not there.

    Raises:
        SpecError: it is not.
    """
    found = _NAME.fullmatch(name)
    if found is None or name == "cpu":
        return
    if not torch.cuda.is_available():
        built = "this build of torch has no CUDA" if torch.version.cuda is None else "torch finds no CUDA GPU"
        raise SpecError(
            f"device {name}: {built}; compute on the CPU (--device cpu), or `make setup TORCH=gpu`"
        )
    index = int(found[1] or 0)
    if index >= torch.cuda.device_count():
        raise SpecError(
            f"device {name}: there are {torch.cuda.device_count()} GPUs, numbered from 0; choose one of them"
        )
