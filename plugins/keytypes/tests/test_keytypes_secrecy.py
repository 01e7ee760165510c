"""No secret shows in an error, in what led to it, or in the locals of a frame that it passed through."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from keywright import Key, KeyType, Secret

_CANARY = bytes(range(0x41, 0x41 + 32))


def _caught(call: Callable[[], object]) -> BaseException:
    with pytest.raises(Exception) as caught:  # noqa: PT011  # which error it is, other tests say
        call()
    return caught.value


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and all that led to it, hidden by `from None` or not."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _shown(error: BaseException) -> str:
    """Messages and every local variable of every frame but the test's own."""
    shown: list[str] = []
    for link in _chain(error):
        shown += [repr(link), str(link)]
        trace = link.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename != __file__:
                shown += [repr(value) for value in trace.tb_frame.f_locals.values()]
            trace = trace.tb_next
    return "\n".join(shown)


def _assert_hidden(secret: bytes, shown: str, public: bytes = b"") -> None:
    """Neither the secret nor any part of it that is not public stands in `shown`, in the usual spellings."""
    spellings = {repr(secret)[2:-1], secret.hex(), str(list(secret))}
    if len(secret) < 1500:  # Python spells no longer numbers
        spellings.add(str(int.from_bytes(secret, "big")))
    for part in (secret[at : at + 8] for at in range(0, len(secret) - 8, 8)):
        if part not in public:
            spellings |= {repr(part)[2:-1], part.hex()}
    assert not [spelling for spelling in spellings if spelling in shown]


def _rsa_secrets(keys: Mapping[str, Key]) -> dict[str, bytes]:
    assert keys["rsa"].secret is not None
    good = keys["rsa"].secret.reveal()
    private = load_der_private_key(good, None)
    assert isinstance(private, rsa.RSAPrivateKey)
    weak = rsa.generate_private_key(65537, 1024)
    return {
        "cut": good[:-1],
        "not canonical": private.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
        "encrypted": private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")),
        "damaged": good[:700] + bytes([good[700] ^ 1]) + good[701:],
        "weak": weak.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        "long": good * 10,
    }


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        pytest.param("ed25519", _CANARY + b"x", id="ed25519-length"),
        pytest.param("x25519", _CANARY + b"x", id="x25519-length"),
        pytest.param("ec-p256", _CANARY + b"x", id="ec-p256-length"),
        pytest.param("ec-p256", b"\xff" * 7 + _CANARY[:25], id="ec-p256-range"),
        pytest.param("ec-p384", b"\xff" * 25 + _CANARY[:23], id="ec-p384-range"),
        pytest.param("ec-p521", b"\xff" * 34 + _CANARY, id="ec-p521-range"),
        pytest.param("oct", _CANARY * 33, id="oct-length"),
    ],
)
@pytest.mark.parametrize("use", ["complete", "signer", "verifier"])
def test_wrong_secret_halves(types: Mapping[str, KeyType], name: str, secret: bytes, use: str) -> None:
    """A secret half that is refused is not shown."""
    arguments = () if use == "complete" else types[name].algorithms[:1] or ("EdDSA",)
    key = Key(name, secret=Secret(secret))

    error = _caught(lambda: getattr(types[name], use)(key, *arguments))

    _assert_hidden(secret, _shown(error))


@pytest.mark.parametrize("case", ["cut", "not canonical", "encrypted", "damaged", "weak", "long"])
@pytest.mark.parametrize("use", ["complete", "signer", "bits"])
def test_wrong_rsa_secrets(types: Mapping[str, KeyType], keys: Mapping[str, Key], case: str, use: str) -> None:
    """An rsa key that is refused shows neither its DER nor one of its numbers."""
    secret = _rsa_secrets(keys)[case]
    key = Key("rsa", secret=Secret(secret))

    error = _caught(lambda: getattr(types["rsa"], use)(key, *(("PS256",) if use == "signer" else ())))

    shown = _shown(error)
    _assert_hidden(secret, shown, keys["rsa"].public or b"")
    private = load_der_private_key((keys["rsa"].secret or Secret(b"")).reveal(), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    numbers = private.private_numbers()
    assert not [name for name in ("d", "p", "q", "dmp1", "dmq1", "iqmp") if str(getattr(numbers, name)) in shown]


@pytest.mark.parametrize("name", ["ed25519", "x25519", "ec-p256", "ec-p384", "ec-p521", "rsa"])
def test_halves_that_do_not_match(types: Mapping[str, KeyType], keys: Mapping[str, Key], name: str) -> None:
    """The refusal of two halves that do not belong together shows no secret."""
    secret = keys[name].secret
    assert secret is not None
    key = Key(name, secret=secret, public=b"not this key's")

    error = _caught(lambda: types[name].complete(key))

    _assert_hidden(secret.reveal(), _shown(error), keys[name].public or b"")


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_short_hmac_keys(types: Mapping[str, KeyType], algorithm: str) -> None:
    """An HMAC key that is too short is not shown."""
    error = _caught(lambda: types["oct"].signer(Key("oct", secret=Secret(_CANARY[:31])), algorithm))

    _assert_hidden(_CANARY[:31], _shown(error))


@pytest.mark.parametrize(("name", "algorithm"), [("ed25519", "EdDSA"), ("ec-p256", "ES256"), ("rsa", "PS256")])
@pytest.mark.parametrize("call", ["sign", "verify"])
def test_failing_calls(
    types: Mapping[str, KeyType], keys: Mapping[str, Key], name: str, algorithm: str, call: str
) -> None:
    """A bound call that fails, by its caller's mistake or a wrong signature, shows no secret."""
    secret = keys[name].secret
    assert secret is not None
    sign, verify = types[name].signer(keys[name], algorithm), types[name].verifier(keys[name], algorithm)
    mistake: object = "text"

    error = _caught(
        lambda: sign(mistake) if call == "sign" else verify(b"message", bytes(64))  # type: ignore[arg-type]  # meant
    )

    _assert_hidden(secret.reveal(), _shown(error))


def test_the_right_tag_is_not_shown(types: Mapping[str, KeyType]) -> None:
    """The refusal of a wrong tag shows neither the key nor the right tag, or it would sign for whoever asks."""
    key = Key("oct", secret=Secret(_CANARY))
    right = types["oct"].signer(key, "HS256")(b"forged")

    error = _caught(lambda: types["oct"].verifier(key, "HS256")(b"forged", bytes(32)))

    shown = _shown(error)
    _assert_hidden(right, shown)
    _assert_hidden(_CANARY, shown)


def test_the_check_finds_secrets() -> None:
    """The check of this file fails where a secret stands in a local of a foreign frame."""
    code = compile("def leak(text):\n    raise ValueError\n", "elsewhere.py", "exec")
    namespace: dict[str, Callable[[bytes], object]] = {}
    exec(code, namespace)  # a frame that is not of this file

    error = _caught(lambda: namespace["leak"](_CANARY))

    with pytest.raises(AssertionError):
        _assert_hidden(_CANARY, _shown(error))


def test_ed25519_is_hidden_from_the_frames_of_the_library(
    types: Mapping[str, KeyType], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory runs out, or somebody presses Ctrl-C, while a frame of the library's holds the seed as an argument."""
    key = types["ed25519"].complete(Key("ed25519", secret=Secret(_CANARY)))
    held = []

    def crypto_sign(_message: bytes, sk: bytes) -> bytes:
        held.append(f"{sk!r} {sk}")  # type: ignore[str-bytes-safe]  # as a traceback with locals, or a log, would show it
        raise MemoryError

    def crypto_sign_seed_keypair(seed: bytes) -> tuple[bytes, bytes]:
        held.append(f"{seed!r} {seed}")  # type: ignore[str-bytes-safe]  # as a log would show it
        raise MemoryError

    monkeypatch.setattr("nacl.bindings.crypto_sign", crypto_sign)
    sign = types["ed25519"].signer(key, "EdDSA")
    errors = [_caught(lambda: sign(b""))]
    monkeypatch.setattr("nacl.bindings.crypto_sign_seed_keypair", crypto_sign_seed_keypair)
    errors.append(_caught(lambda: types["ed25519"].signer(key, "EdDSA")))

    assert held == ["<hidden> <hidden>"] * 2
    for error in errors:
        _assert_hidden(_CANARY, _shown(error))
