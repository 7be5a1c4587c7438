"""Numbers that the contracts take packed: lanes, scores, rules, and the commitment to a set of scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eth_utils.address import to_canonical_address
from eth_utils.crypto import keccak

from chain.errors import RecordError
from chain.records import Lanes, RuleRecord
from chain.shapes import LanesLike, NodeLike

NO_SCORE = 0x3FFF
MAX_SCORE = 10_000
SCORE_BITS = 14
SCORES_PER_WORD = 18
COMMIT_TYPEHASH = keccak(text="FedIoMT.QualityCommit.v1")

_LANE_BITS = (
    ("n", 0, 32),
    ("volume", 32, 48),
    ("compute", 80, 48),
    ("weight_treasury", 128, 64),
    ("weight_device", 192, 64),
)


def pack_lanes(lanes: LanesLike | int) -> int:
    """Lanes in one word: n | volume << 32 | compute << 80 | weight_treasury << 128 | weight_device << 192.

    Raises:
        RecordError: a sum does not fit its lane.
    """
    if isinstance(lanes, int):
        return lanes
    word = 0
    for name, shift, bits in _LANE_BITS:
        value = int(getattr(lanes, name))
        if not 0 <= value < 1 << bits:
            raise RecordError(f"lane {name} = {value} does not fit {bits} bits")
        word |= value << shift
    return word


def unpack_lanes(word: int) -> Lanes:
    """The inverse of `pack_lanes`."""
    return Lanes(**{name: word >> shift & ((1 << bits) - 1) for name, shift, bits in _LANE_BITS})


def pack_node(node: NodeLike) -> tuple[bytes, int]:
    """A node as calldata has it: its hash and its packed lanes."""
    return node.hash, pack_lanes(node.lanes)


def unpack_rule(word: int) -> RuleRecord:
    """A reward rule from its sixteen numbers of 16 bits."""
    n = [word >> (16 * i) & 0xFFFF for i in range(16)]
    return RuleRecord(
        n[0],
        n[1],
        n[2],
        n[3],
        n[4],
        n[5],
        n[6],
        n[7],
        (n[8], n[9], n[10], n[11]),
        (n[12], n[13], n[14], n[15]),
    )


def pack_scores(scores: Mapping[int, int], hospital_count: int) -> list[int]:
    """Scores of other hospitals, 14 bits each, 18 to a word.

    Args:
        scores: 0..10_000 by hospital id; ids that are left out get no score.
        hospital_count: hospitals ever admitted when the round opened (`RoundRecord.hospital_count`).

    Returns:
        ceil(hospital_count / 18) words.

    Raises:
        RecordError: an id or a score is out of range.
    """
    words = -(-hospital_count // SCORES_PER_WORD)
    lanes = [NO_SCORE] * (words * SCORES_PER_WORD)
    for hospital, score in scores.items():
        if not 1 <= hospital <= hospital_count:
            raise RecordError(f"hospital {hospital} is not one of 1..{hospital_count}: it cannot be scored")
        if not 0 <= score <= MAX_SCORE:
            raise RecordError(f"score {score} of hospital {hospital} is not in 0..{MAX_SCORE}")
        lanes[hospital - 1] = score
    return [
        sum(lane << (SCORE_BITS * i) for i, lane in enumerate(lanes[start : start + SCORES_PER_WORD]))
        for start in range(0, len(lanes), SCORES_PER_WORD)
    ]


def unpack_scores(words: Sequence[int], hospital_count: int) -> dict[int, int]:
    """Scores by hospital id; hospitals without a score are left out."""
    found = {}
    for index in range(min(hospital_count, SCORES_PER_WORD * len(words))):
        word = words[index // SCORES_PER_WORD]
        score = word >> (SCORE_BITS * (index % SCORES_PER_WORD)) & NO_SCORE
        if score != NO_SCORE:
            found[index + 1] = score
    return found


def quality_commitment(
    *,
    chain_id: int,
    ledger: str | bytes,
    round_number: int,
    hospital: int,
    packed_scores: Sequence[int],
    model_score: int,
    utilities_digest: bytes,
    salt: bytes,
) -> bytes:
    """The commitment that binds chain, ledger, round, hospital, scores, model score and utilities (32 bytes).

    Raises:
        RecordError: a hash or salt is not 32 bytes, or a number is negative or too large.
    """
    if len(utilities_digest) != 32 or len(salt) != 32:
        raise RecordError("the utilities' digest and the salt have 32 bytes each")
    try:
        scores = keccak(b"".join(word.to_bytes(32, "big") for word in packed_scores))
        words = [
            COMMIT_TYPEHASH,
            chain_id.to_bytes(32, "big"),
            to_canonical_address(ledger).rjust(32, b"\0"),
            round_number.to_bytes(32, "big"),
            hospital.to_bytes(32, "big"),
            scores,
            model_score.to_bytes(32, "big"),
            utilities_digest,
            salt,
        ]
    except OverflowError as error:
        raise RecordError("a commitment takes numbers of 0..2^256 - 1") from error
    return keccak(b"".join(words))


def ids_of(bitmap: int) -> frozenset[int]:
    """Hospital ids of a bitmap; bit `id` stands for hospital `id`."""
    return frozenset(index for index in range(bitmap.bit_length()) if bitmap >> index & 1)
