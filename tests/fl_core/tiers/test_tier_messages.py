import random
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl_core.canonical import sha256
from fl_core.cohorts import ReadyDevice
from fl_core.errors import SpecError
from fl_core.tiers import CohortCall, CohortReport

COUNT = st.integers(0, 2**32)
BYTES_32 = st.binary(min_size=32, max_size=32)
LINE = st.builds(
    ReadyDevice,
    st.binary(min_size=20, max_size=20),
    st.integers(0, 255),
    st.integers(1, 10**6),
    st.booleans(),
    st.integers(0, 255),
)
CALLS = st.builds(
    CohortCall,
    round_number=COUNT,
    hospital=COUNT,
    session=BYTES_32,
    beacon=BYTES_32,
    ready=st.lists(LINE, max_size=5).map(tuple),
    cohort=COUNT,
    attempt=COUNT,
)
CALL = CohortCall(
    round_number=3,
    hospital=2,
    session=bytes(range(32)),
    beacon=bytes(range(32, 64)),
    ready=tuple(ReadyDevice(bytes([i] * 20), i % 4, 10 + i, i % 2 == 0) for i in range(4)),
    cohort=1,
)
WIRE = CALL.encode()


@given(CALLS)
def test_a_call_reads_back_from_the_wire(call):
    assert CohortCall.decode(call.encode()) == call


def test_any_flipped_byte_of_a_call_is_refused_or_makes_it_another_call():
    pick = random.Random(2)
    for position in range(len(WIRE)):
        for flip in {1, 128, 32, pick.randrange(1, 256), pick.randrange(1, 256)}:
            forged = WIRE[:position] + bytes([WIRE[position] ^ flip]) + WIRE[position + 1 :]
            with suppress(SpecError):
                decoded = CohortCall.decode(forged)
                assert decoded != CALL
                assert sha256(decoded.encode()) != sha256(WIRE)


def test_a_truncated_or_lengthened_call_is_refused():
    for size in range(len(WIRE)):
        with pytest.raises(SpecError):
            CohortCall.decode(WIRE[:size])
    for tail in (b" ", b"\n", b"{}", b"\x00"):
        with pytest.raises(SpecError):
            CohortCall.decode(WIRE + tail)


@given(st.binary(max_size=100))
def test_noise_in_place_of_a_call_is_refused(data):
    with pytest.raises(SpecError):
        CohortCall.decode(data)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"round":3', b'"round":"3"'),
        (b'"round":3', b'"round":3.5'),
        (b'"round":3', b'"round":true'),
        (b'"round":3', b'"round":-3'),
        (b'"round":3', b'"round":1e999'),
        (b'"round":3', b'"round":Infinity'),
        (b'"round":3', b'"round":' + b"9" * 30),
        (b'"round":3', b'"round":[[]]'),
        (b'"round":3', b'"more":1,"round":3'),
        (b'"round":3', b'"round":3,"round":3'),
        (b'"round":3', b'"rounds":3'),
        (b'"attempt":0', b'"attempt":null'),
        (b'"beacon":"20', b'"beacon":" 20'),
        (b'"beacon":"2021', b'"beacon":"zz'),
        (b'"ready":[', b'"ready":[[],'),
        (b'"ready":[', b'"ready":["abcd",'),
        (b'"ready":[', b'"ready":[{},'),
        (b"0,10,true", b"0,10,1"),
        (b"0,10,true", b"0,-10,true"),
    ],
    ids=repr,
)
def test_a_call_with_an_odd_value_or_another_form_of_it_is_refused(old, new):
    assert WIRE.count(old) == 1
    with pytest.raises(SpecError):
        CohortCall.decode(WIRE.replace(old, new))


def test_a_call_nested_too_deeply_is_refused():
    with pytest.raises(SpecError):
        CohortCall.decode(b"[" * 100_000)


def test_a_cohort_that_failed_closed_tells_only_that_it_did():
    failed = CohortReport.failed(2, 1, (b"a" * 20, b"b" * 20), "too few")
    assert (failed.hospital, failed.cohort, failed.failure) == (2, 1, "too few")
    assert not failed.summed
    assert (failed.survivors, failed.rows) == ((), 0)
    assert not failed.signatures
    assert not failed.masked_hashes
