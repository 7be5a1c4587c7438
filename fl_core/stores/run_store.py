"""What every store of a run's public files can do."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol


class RunStore(Protocol):
    """The public files of one run, which one process writes. Bundles go by round number, transcripts by SHA-256.

    Raises:
        BundleError: from every method, where something is missing, altered or refused; one line that names it.
    """

    def write_bundle(self, number: int, files: Mapping[str, bytes]) -> bytes:
        """Keep a round's bundle, whole or not at all; its digest, 32 bytes. The same bundle again is a no-op."""

    def read_bundle(self, number: int, digest: bytes | None = None) -> dict[str, bytes]:
        """A round's files, each verified, and their manifest against `digest` where given."""

    def as_found(self, number: int) -> dict[str, bytes]:
        """Whatever is there of a round's files, verified by nothing; empty where there is nothing."""

    def bundles(self) -> list[int]:
        """Numbers of the rounds that bundles are there of, in order."""

    def strangers(self) -> list[str]:
        """Names among the bundles that are no round's, in order, without what killed writers left; nobody reads it."""

    def sweep(self, keep: Collection[int], transcripts: Collection[bytes] | None = None) -> list[int]:
        """Remove the bundles of all other rounds, and what killed writers left; the numbers removed, in order.

        Transcripts go too, but for those of `transcripts`; without it all stay, since a store cannot tell which ones
        its bundles name.
        """

    def keep_transcript(self, sealed: bytes) -> None:
        """Keep a sealed transcript."""

    def transcript(self, digest: bytes) -> bytes:
        """The sealed transcript of a SHA-256 (32 bytes), verified."""

    def transcripts(self) -> list[bytes]:
        """The SHA-256 of every transcript that is there."""

    def remove_transcript(self, digest: bytes) -> None:
        """Remove a transcript; one that is not there is no error."""

    def write_document(self, name: str, data: bytes) -> None:
        """Write or replace a file beside the bundles."""

    def document(self, name: str) -> bytes | None:
        """A file beside the bundles, None where there is none."""
