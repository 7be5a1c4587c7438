"""Fields, shares, packing and keystream against plain references."""

from __future__ import annotations

import hashlib
import random

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import CTR
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given, settings
from hypothesis import strategies as st

from fl_core.secagg import CohortPlan, SecAggError
from fl_core.secagg.codec import Reader, bitmap_bytes, write_subset
from fl_core.secagg.kdf import expand
from fl_core.secagg.masking import MaskKey, apply_masks, word_dtype
from fl_core.secagg.merkle import Tree, leaf_hash, path_length, root_of_path, tree_hash
from fl_core.secagg.packing import pack, packed_bytes, unpack
from fl_core.secagg.reed_solomon import decode
from fl_core.secagg.shamir import PRIME, Interpolation, decode_element, encode_element, random_element, split
from fl_core.secagg.transcript import attempt_hash, deposited_hash, survivors_hash

elements = st.integers(0, PRIME - 1) | st.sampled_from([0, 1, PRIME - 1])


def is_probably_prime(n):
    odd, twos = n - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in random.Random(1).sample(range(2, 1 << 30), 40):
        x = pow(base, odd, n)
        if x in {1, n - 1}:
            continue
        if not any((x := x * x % n) == n - 1 for _ in range(twos - 1)):
            return False
    return True


def test_the_field_is_one():
    assert is_probably_prime(PRIME)
    assert PRIME < 1 << 256


def dealt(values, threshold, points):
    """Shares as integers: by holder, by secret."""
    return [
        tuple(int.from_bytes(share[at : at + 32], "big") for at in range(0, len(share), 32))
        for share in split(values, threshold, points)
    ]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_threshold_of_shares_gives_every_secret_of_the_batch(data):
    holders = data.draw(st.integers(1, 24))
    threshold = data.draw(st.integers(1, holders))
    values = data.draw(st.lists(elements, min_size=1, max_size=3))
    points = data.draw(st.lists(st.integers(1, 1025), min_size=holders, max_size=holders, unique=True))
    shares = dict(zip(points, dealt(values, threshold, points), strict=True))
    chosen = data.draw(st.permutations(points))[:threshold]
    interpolation = Interpolation(chosen)
    for position, value in enumerate(values):
        assert interpolation.secret([shares[p][position] for p in chosen]) == value


def test_fewer_shares_than_the_threshold_fit_every_secret():
    interpolation = Interpolation([1, 2, 3])
    (first,), (second,), _ = dealt((7,), 3, [1, 2, 3])
    weight = interpolation.secret([0, 0, 1])
    for candidate in (0, 7, PRIME - 1):
        third = (candidate - interpolation.secret([first, second, 0])) * pow(weight, -1, PRIME) % PRIME
        assert interpolation.secret([first, second, third]) == candidate


@pytest.mark.parametrize(
    ("threshold", "points"), [(3, [1, 2]), (0, [1]), (2, [1, 1]), (2, [0, 1]), (2, [1, 1026])]
)
def test_impossible_sharings_are_refused(threshold, points):
    with pytest.raises(SecAggError, match="cannot share"):
        split((1,), threshold, points)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_false_shares_are_corrected_up_to_half_of_the_spare_ones(data):
    holders = data.draw(st.integers(1, 20))
    threshold = data.draw(st.integers(1, holders))
    value = data.draw(elements)
    points = list(range(1, holders + 1))
    shares = [share[0] for share in dealt((value,), threshold, points)]
    false = data.draw(
        st.lists(st.integers(0, holders - 1), max_size=(holders - threshold) // 2, unique=True).map(sorted)
    )
    for position in false:
        shares[position] = (shares[position] + data.draw(st.integers(1, PRIME - 1))) % PRIME
    assert decode(points, shares, threshold) == (value, tuple(false))


def test_too_many_false_shares_are_never_mistaken_for_few():
    rng = random.Random(2)
    for _ in range(50):
        points = list(range(1, 11))
        shares = [share[0] for share in dealt((5,), 7, points)]
        for position in rng.sample(range(10), 2):
            shares[position] = rng.randrange(PRIME)
        assert decode(points, shares, 7) is None


@pytest.mark.parametrize(("holders", "threshold"), [(5, 4), (61, 40), (100, 67), (1024, 20)])
def test_shares_are_points_of_one_polynomial_of_the_thresholds_degree(holders, threshold):
    """Of more than `threshold` shares any choice interpolates the same: float64 has lost nothing."""
    shares = [share[0] for share in dealt((PRIME - 1,), threshold, list(range(1, holders + 1)))]
    rng = random.Random(holders)
    for _ in range(3):
        chosen = rng.sample(range(1, holders + 1), threshold)
        assert Interpolation(chosen).secret([shares[p - 1] for p in chosen]) == PRIME - 1


def test_keys_are_expanded_as_the_library_expands_them():
    for length in (1, 32, 33, 96, 255):
        key, info = bytes(range(32)), b"a hash"
        framed = b"FedIoMT.SecAgg.v1/" + (7).to_bytes(4, "big") + b"attempt" + (6).to_bytes(4, "big") + info
        theirs = HKDFExpand(SHA256(), length, framed).derive(key)
        assert expand(key, b"attempt", info, length=length) == theirs


@settings(max_examples=60, deadline=None)
@given(size=st.integers(1, 70), data=st.data())
def test_every_leaf_of_a_tree_leads_to_the_root_of_rfc_6962_and_nothing_else_does(size, data):
    def plain(leaves):
        if len(leaves) == 1:
            return leaves[0]
        split_at = 1 << ((len(leaves) - 1).bit_length() - 1)
        both = plain(leaves[:split_at]) + plain(leaves[split_at:])
        return hashlib.sha256(b"\x01" + both).digest()

    leaves = [leaf_hash(bytes([i])) for i in range(size)]
    tree, position = Tree(leaves), data.draw(st.integers(0, size - 1))
    path = tree.path(position)
    assert (
        tree.root
        == plain(leaves)
        == tree_hash(leaves)
        == root_of_path(leaves[position], position, size, path)
    )
    assert len(path) == path_length(position, size)
    assert root_of_path(leaf_hash(b"another"), position, size, path) != tree.root
    with pytest.raises(SecAggError, match="path of"):
        root_of_path(leaves[position], position, size, (*path, bytes(32)))


def test_elements_outside_the_field_are_refused():
    assert decode_element(encode_element(PRIME - 1)) == PRIME - 1
    assert 0 <= random_element() < PRIME
    for data in (PRIME.to_bytes(32, "big"), b"\xff" * 32, bytes(31), bytes(33)):
        with pytest.raises(SecAggError, match="field element"):
            decode_element(data)


@settings(max_examples=150, deadline=None)
@given(bits=st.integers(8, 64), dim=st.integers(1, 200), seed=st.integers(0, 2**32))
def test_packing_is_exactly_b_bits_a_value_and_exact(bits, dim, seed):
    rng = np.random.default_rng(seed)
    words = (rng.integers(0, 1 << 64, dim, dtype=np.uint64) >> np.uint64(64 - bits)).astype(word_dtype(bits))
    words[:1] = (1 << bits) - 1
    packed = pack(words, bits)
    assert len(packed) == packed_bytes(dim, bits) == -(-dim * bits // 8)
    assert int.from_bytes(packed, "little") == sum(int(word) << i * bits for i, word in enumerate(words))
    restored = unpack(packed, dim, bits)
    assert restored.dtype == words.dtype
    assert (restored == words).all()


def test_unpacking_refuses_other_lengths_and_dirty_padding():
    packed = pack(np.array([1, 2, 3], dtype=np.uint16), 9)
    assert len(packed) == 4
    for bad in (packed[:-1], packed + b"\0", packed[:-1] + bytes([packed[-1] | 0x80])):
        with pytest.raises(SecAggError):
            unpack(bad, 3, 9)


@pytest.mark.parametrize("bits", [8, 13, 16, 32, 40, 64])
def test_a_mask_is_the_keystream_and_comes_off_again(bits):
    key = MaskKey.from_seed(hashlib.sha256(b"seed").digest())
    words = np.arange(70_000, dtype=np.uint64).astype(word_dtype(bits))
    masked = words.copy()
    apply_masks(masked, [(key, 1)])
    stream = Cipher(AES128(key.key), CTR(key.counter)).encryptor().update(bytes(words.nbytes))
    assert (masked - words == np.frombuffer(stream, dtype=words.dtype)).all()
    apply_masks(masked, [(key, -1)])
    assert (masked == words).all()


def test_seeds_are_256_bits_and_unlike_seeds_give_unlike_everything():
    keys = [MaskKey.from_seed(hashlib.sha256(bytes([i])).digest()) for i in range(3)]
    assert len({part for key in keys for part in (key.key, key.counter, key.check)}) == 9


@given(parent=st.lists(st.integers(0, 1000), unique=True, max_size=40).map(sorted), data=st.data())
def test_subsets_travel_as_bitmaps(parent, data):
    subset = data.draw(st.lists(st.sampled_from(parent), unique=True).map(sorted)) if parent else []
    encoded = write_subset(subset, parent)
    assert len(encoded) == bitmap_bytes(len(parent))
    assert list(Reader(encoded).subset(parent)) == subset


def test_a_bitmap_cannot_name_a_stranger():
    with pytest.raises(SecAggError, match="beyond"):
        Reader(b"\xff").subset(range(7))


@given(data=st.binary(max_size=60), lengths=st.lists(st.integers(0, 20), max_size=6))
def test_a_reader_never_reads_past_the_end(data, lengths):
    reader, taken = Reader(data), b""
    for length in lengths:
        if length > reader.remaining:
            with pytest.raises(SecAggError, match="ends inside"):
                reader.take(length)
        else:
            taken += reader.take(length)
    assert data.startswith(taken)
    if reader.remaining:
        with pytest.raises(SecAggError, match="after its last field"):
            reader.finish()


def test_every_hash_of_the_transcript_covers_all_that_came_before():
    def plan(attempt=0):
        return CohortPlan(bytes(32), 1, 1, 0, attempt, tuple(bytes([i]) * 20 for i in range(4)), 3, 20, 5)

    nonces = {0: bytes(16), 1: b"\x01" * 16, 2: b"\x02" * 16}
    attempts = [
        attempt_hash(plan(), bytes(32), nonces),
        attempt_hash(plan(attempt=1), bytes(32), nonces),
        attempt_hash(plan(), b"\x01" * 32, nonces),
        attempt_hash(plan(), bytes(32), {**nonces, 2: bytes(16)}),
        attempt_hash(plan(), bytes(32), {0: nonces[0], 1: nonces[1], 3: nonces[2]}),
    ]
    deposited = [deposited_hash(plan(), a, (0, 1, 2)) for a in attempts]
    deposited.append(deposited_hash(plan(), attempts[0], (0, 1)))
    survivors = [survivors_hash(plan(), d, (0, 1)) for d in deposited]
    survivors.append(survivors_hash(plan(), deposited[0], (0, 2)))
    everything = attempts + deposited + survivors
    assert len(set(everything)) == len(everything) == 18
