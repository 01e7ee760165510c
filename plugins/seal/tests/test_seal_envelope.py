"""The sealed bytes: laws over any payload and context, and headers that would cost too much."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from struct import pack

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given, settings
from hypothesis import strategies as st

from keywright import Options, Secret
from keywright.errors import SealError
from keywright_seal.envelope import MasterKeys, OpenedEnvelopeSeal, parse_envelope
from keywright_seal.kdf import ARGON2ID, NO_DERIVATION, Derivation
from keywright_seal.master_key import MasterKeySeal

Opener = Callable[..., OpenedEnvelopeSeal]
KEY = bytes(range(32))
PAYLOAD = Secret(b"a canary that must not sing")
REFUSAL = (
    "seal {!r} does not open the payload: it was sealed under another master key, or it or its record was changed; "
    "set {} or previous to what sealed it, or restore it from a backup"
)
OPENED = MasterKeySeal().open(Options({"key": Secret(KEY.hex().encode()), "previous": ()}))
SEALED = OPENED.seal(PAYLOAD, b"a")
LAW = settings(deadline=None, max_examples=200)


@LAW
@given(payload=st.binary(max_size=5000), context=st.binary(max_size=300))
def test_there_and_back(payload: bytes, context: bytes) -> None:
    """Any payload comes back under its context, and is 118 bytes longer when sealed."""
    sealed = OPENED.seal(Secret(payload), context)

    assert OPENED.unseal(sealed, context) == Secret(payload)
    assert len(sealed) == len(payload) + 118


@LAW
@given(at=st.integers(0, len(SEALED) - 1), mask=st.integers(1, 255))
def test_any_changed_byte_is_refused_in_the_same_words(at: int, mask: int) -> None:
    """The refusal does not tell which byte was changed, or how."""
    changed = bytearray(SEALED.reveal())
    changed[at] ^= mask

    with pytest.raises(SealError) as caught:
        OPENED.unseal(Secret(bytes(changed)), b"a")

    assert str(caught.value) == REFUSAL.format("master-key", "key")
    assert caught.value.__context__ is None


@LAW
@given(context=st.binary(max_size=300))
def test_any_other_context_is_refused_in_the_same_words(context: bytes) -> None:
    """A payload is bound to its record."""
    if context == b"a":
        return
    with pytest.raises(SealError) as caught:
        OPENED.unseal(SEALED, context)

    assert str(caught.value) == REFUSAL.format("master-key", "key")


@LAW
@given(data=st.binary(max_size=300), with_head=st.booleans())
def test_noise_is_no_payload(data: bytes, with_head: bool) -> None:
    """Any bytes are refused, also after a header that is sound."""
    noise = SEALED.reveal()[:30] + data if with_head else data

    with pytest.raises(SealError):
        OPENED.unseal(Secret(noise), b"a")


@LAW
@given(cuts=st.lists(st.sampled_from((0, 30, 42, 90, 102)), min_size=1, max_size=4, unique=True).map(sorted))
def test_parts_of_two_payloads_make_no_third(cuts: list[int]) -> None:
    """Header, nonces, wrapped key and body of two payloads of one record cannot be exchanged."""
    sources = SEALED.reveal(), OPENED.seal(Secret(PAYLOAD.reveal()[::-1]), b"a").reveal()
    ends = [*cuts, len(SEALED)]
    made = sources[0][: cuts[0]] + b"".join(
        sources[(number + 1) % 2][start:end] for number, (start, end) in enumerate(pairwise(ends))
    )

    if made not in sources:
        with pytest.raises(SealError):
            OPENED.unseal(Secret(made), b"a")


def test_the_layout_is_the_one_that_is_told() -> None:
    """Read by the table in `envelope.py` alone, with no code of ours, a payload opens."""
    sealed = SEALED.reveal()
    wrapping = HKDFExpand(SHA256(), 32, b"keywright-seal-1 wrapping key").derive(KEY)
    key_id = HKDFExpand(SHA256(), 8, b"keywright-seal-1 key id").derive(KEY)

    data_key = AESGCM(wrapping).decrypt(sealed[30:42], sealed[42:90], sealed[:30] + b"a")
    payload = AESGCM(data_key).decrypt(sealed[90:102], sealed[102:], sealed[:90] + b"a")

    assert sealed[:22] == b"\x01" + bytes(21)
    assert sealed[22:30] == key_id
    assert payload == PAYLOAD.reveal()


def test_what_was_sealed_once_opens_for_good() -> None:
    """A payload of this layout, made when it was laid down, opens under its key."""
    assert OPENED.unseal(Secret(bytes.fromhex(KEPT)), b"a") == PAYLOAD


def test_every_payload_has_a_data_key_and_nonces_of_its_own() -> None:
    """Nothing after the header is ever the same."""
    parts = [parse_envelope(OPENED.seal(PAYLOAD, b"a")) for _ in range(200)]

    for name in ("key_nonce", "wrapped", "nonce", "body"):
        assert len({getattr(one, name) for one in parts}) == 200


TOO_MUCH = [
    pytest.param(pack(">BHBB", 1, 18, 2, 1), id="too little memory"),
    pytest.param(pack(">BHBB", 1, 0, 2, 1), id="no memory"),
    pytest.param(pack(">BHBB", 1, 513, 2, 1), id="too much memory"),
    pytest.param(pack(">BHBB", 1, 65535, 2, 1), id="all memory"),
    pytest.param(pack(">BHBB", 1, 19, 1, 1), id="one pass"),
    pytest.param(pack(">BHBB", 1, 19, 0, 1), id="no pass"),
    pytest.param(pack(">BHBB", 1, 19, 11, 1), id="too many passes"),
    pytest.param(pack(">BHBB", 1, 19, 2, 0), id="no lane"),
    pytest.param(pack(">BHBB", 1, 19, 2, 17), id="too many lanes"),
    pytest.param(pack(">BHBB", 2, 16, 8, 1), id="scrypt, too cheap"),
    pytest.param(pack(">BHBB", 2, 18, 8, 1), id="scrypt, too dear"),
    pytest.param(pack(">BHBB", 2, 65535, 255, 255), id="scrypt, all that is"),
    pytest.param(pack(">BHBB", 2, 17, 9, 1), id="scrypt, another block size"),
    pytest.param(pack(">BHBB", 2, 17, 8, 2), id="scrypt, parallel"),
    pytest.param(pack(">BHBB", 0, 0, 0, 0), id="no derivation, but a salt"),
    pytest.param(pack(">BHBB", 3, 19, 2, 1), id="an unknown kind"),
]


def refuse_to_stretch(_secret: Secret, _derivation: Derivation) -> Secret:
    """No test may get so far."""
    raise AssertionError("it was stretched")


@pytest.mark.parametrize("costs", TOO_MUCH)
def test_costs_out_of_bounds_are_refused_before_they_are_paid(costs: bytes) -> None:
    """A header that asks for too little or too much is refused, and nothing is derived for it."""
    masters = MasterKeys((Secret(b"correct horse"), Secret(b"battery staple")), refuse_to_stretch)
    opened = OpenedEnvelopeSeal("passphrase", "passphrase", masters, Derivation(ARGON2ID, (19, 2, 1), bytes(16)))
    payload = Secret(b"\x01" + costs + b"\x05" * 16 + b"\x07" * 8 + bytes(100))

    opened.adopt(payload)
    with pytest.raises(SealError) as caught:
        opened.unseal(payload, b"a")

    assert str(caught.value) == REFUSAL.format("passphrase", "passphrase")
    assert not opened.is_current(payload)


@pytest.mark.parametrize("costs", [(19, 2, 1), (512, 10, 16)])
def test_costs_at_the_bounds_are_accepted(costs: tuple[int, int, int]) -> None:
    """The bounds themselves are allowed, as the settings allow them."""
    assert Derivation(ARGON2ID, costs, bytes(16)).is_acceptable()
    assert NO_DERIVATION.is_acceptable()


def test_what_is_too_large_is_no_key() -> None:
    """Payloads and contexts over 1 GiB are refused, before the cipher would refuse them in its own way."""
    huge = bytes(2**30 + 1)

    for payload, context in ((Secret(huge), b"a"), (PAYLOAD, huge)):
        with pytest.raises(SealError) as caught:
            OPENED.seal(payload, context)
        assert str(caught.value) == "seal 'master-key' takes payloads up to 1 GiB; what is larger is no key"


KEPT = """
010000000000000000000000000000000000000000009a43487de1ed9cae6615c9ae5fe2c2631ae265f4f45240e5569cab80d28c7bcd38
3b19a7df4a516288adc453f441ae3de8b7428032417849ff6687d92fa5c6f79a38cab33f1e97ac5c12beb9bddf68f986008069ae86acde
83587118b26ac6d371d24851f08bc66178f8104dd097a5f06f708534bbf6c761df76e3
"""
