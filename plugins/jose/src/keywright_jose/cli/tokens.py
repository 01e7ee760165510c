"""`keywright jose jws sign` and `verify`, `jose jwe encrypt` and `decrypt`, with a key of the ring or one in a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from keywright import add_flag, add_list, add_output, add_value, print_either
from keywright.errors import ConfigError, FormatError, InvalidSignatureError, UnsupportedOperationError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from keywright import Context, Secret
    from keywright_jose.jwe.algorithms import KeyAlgorithm
    from keywright_jose.jwe.keys import JweKeyInput
    from keywright_jose.jwe.token import Jwe
    from keywright_jose.jwk.inputs import KeyInput
    from keywright_jose.jwk.members import Members
    from keywright_jose.jws import Jws


def configure_sign(parser: ArgumentParser) -> None:
    """Add the arguments of `jose jws sign`."""
    _add_key_options(parser, "the name of a key of the ring", "a JWK")
    add_value(parser, "--algorithm", "ALGORITHM", "such as HS256 or ES256; needed unless the key has an alg")
    _add_pairs_option(parser, "--header", "one more member of the header")
    add_value(parser, "--ttl", "DURATION", "set iat, nbf and exp: how long it is valid, such as 15m, or in seconds")
    parser.add_argument("file", nargs="?", metavar="FILE", help="the file of a JSON object; default and -: stdin")


def configure_verify(parser: ArgumentParser) -> None:
    """Add the arguments of `jose jws verify`."""
    _add_key_options(parser, "the name of a key of the ring", "a JWK or JWK Set")
    allowed = "an allowed one, such as ES256; needed unless the key has an alg (repeatable)"
    add_list(parser, "--algorithm", "ALGORITHM", allowed)
    _add_pairs_option(parser, "--claim", "a required claim, with exactly this value")
    drift = "how far the issuer's clock may be off, such as 30s, 10m at most (default: 0s)"
    add_value(parser, "--time-drift", "DURATION", drift)
    add_flag(parser, "--signature-only", "check no claims, and print the payload as it was signed")
    parser.add_argument("file", nargs="?", metavar="FILE", help="the file of the token; default and -: stdin")


def sign(arguments: Namespace, context: Context) -> int:
    """Run `jose jws sign`. Returns the exit code."""
    from keywright_jose.jws import bound_signer, check_algorithm, checked_headers
    from keywright_jose.jwt import MAXIMUM_TTL, with_times

    _check_input(arguments, "claims")
    with _wrong_call():
        headers = checked_headers(_pairs(arguments.header, "--header") or None, "--header")
        if arguments.algorithm is not None:
            check_algorithm(arguments.algorithm, "--algorithm")
    ttl = None if arguments.ttl is None else _seconds_of(arguments.ttl, "--ttl", 1, MAXIMUM_TTL, "3650d")
    # The claims first: they may take their time, and a key that is compromised meanwhile must not sign.
    claims = _claims(context.read_input(arguments.file).reveal())
    if arguments.key is None:
        key: KeyInput = _read_key_file(arguments, context)
    else:
        key = context.ring.signer(arguments.key, algorithm=arguments.algorithm)
    token = bound_signer(key, arguments.algorithm, headers).sign(with_times(claims, ttl, None))
    print_either(context, {"token": token}, token)
    return 0


def verify(arguments: Namespace, context: Context) -> int:
    """Run `jose jws verify`. Returns the exit code."""
    from base64 import b64encode
    from json import dumps

    from keywright_jose.jws import check_allowed
    from keywright_jose.jwt import MAXIMUM_DRIFT, read_claims, validate_claims

    _check_input(arguments, "token")
    if arguments.signature_only and (arguments.claim or arguments.time_drift is not None):
        raise ConfigError("--signature-only checks no claims", hint="leave out --claim and --time-drift")
    expected = _pairs(arguments.claim, "--claim")
    drift = _seconds_of(arguments.time_drift or "0", "--time-drift", 0, MAXIMUM_DRIFT, "10m")
    with _wrong_call():
        check_allowed(arguments.algorithm or None, "--algorithm")
    found = _verified(arguments, context)
    if arguments.signature_only:
        if context.json:
            payload = b64encode(found.payload).decode()
            context.print_json(_about(found) | {"payload": payload, "encoding": "base64"})
        else:
            context.write(found.payload)
        return 0
    claims = read_claims(found.payload)
    validate_claims(claims, expected, drift, None)
    # In ASCII: what a token says may steer a terminal.
    print_either(context, _about(found) | {"claims": claims}, dumps(claims))
    return 0


def _verified(arguments: Namespace, context: Context) -> Jws:
    from keywright_jose.jws import bound_verifier

    token = _read_token(arguments, context)
    if arguments.key is None:
        key: KeyInput = _read_key_file(arguments, context)
    else:
        key = context.ring.verifier(arguments.key, algorithm=_algorithm_of_ring(token, arguments.algorithm))
    return bound_verifier(key, arguments.algorithm or None, allow_padding=False).verify(token)


def _algorithm_of_ring(token: bytes, allowed: list[str]) -> str | None:
    """A key of the ring is bound with one algorithm: of those that are allowed, the token's own."""
    from keywright_jose.compact import read_header, split_token

    if not allowed:
        return None
    own = read_header(split_token(token, 3)[0]).algorithm
    return own if own in allowed else allowed[0]


def _about(found: Jws) -> dict[str, object]:
    return {"header": found.header, "kid": found.kid, "reference": found.reference}


def _claims(data: bytes) -> dict[str, object]:
    from keywright import JsonProblem, read_json_object
    from keywright_jose.json import MAXIMUM_DEPTH

    claims = read_json_object(data, depth=MAXIMUM_DEPTH)
    if isinstance(claims, JsonProblem):
        raise FormatError(
            "the claims are not a valid JSON object",
            hint='pass one object in UTF-8 with each member once, such as {"sub": "alice"}',
        )
    return claims


def configure_encrypt(parser: ArgumentParser) -> None:
    """Add the arguments of `jose jwe encrypt`."""
    _configure_key(parser, "a JWK, of an asymmetric key the public one will do")
    _add_pairs_option(parser, "--header", "one more member of the header")
    parser.add_argument("file", nargs="?", metavar="FILE", help="what to encrypt; - or nothing: stdin")


def configure_decrypt(parser: ArgumentParser) -> None:
    """Add the arguments of `jose jwe decrypt`."""
    _configure_key(parser, "a secret JWK, or a JWK Set of such")
    add_output(parser)
    parser.add_argument("file", nargs="?", metavar="FILE", help="the file of the token; default and -: stdin")


def _configure_key(parser: ArgumentParser, what: str) -> None:
    _add_key_options(parser, "a key of the ring, by name or as NAME@N", what)
    parser.add_argument(
        "--key-algorithm", required=True, metavar="ALGORITHM", help="alg, such as A256KW, ECDH-ES, RSA-OAEP-256"
    )
    parser.add_argument(
        "--content-algorithm", required=True, metavar="ALGORITHM", help="enc, such as A256GCM, A128CBC-HS256"
    )


def encrypt(arguments: Namespace, context: Context) -> int:
    """Run `jose jwe encrypt`. Returns the exit code."""
    from keywright_jose.jwe.token import checked_headers, encrypted_token

    _check_input(arguments, "plaintext")
    algorithm = _check_algorithms(arguments)
    with _wrong_call():
        headers = checked_headers(_pairs(arguments.header, "--header") or None, algorithm, "--header")
    plaintext = context.read_input(arguments.file)
    key = _read_key_file(arguments, context) if arguments.key is None else _recipient(arguments.key, context)
    token = encrypted_token(plaintext, key, arguments.key_algorithm, arguments.content_algorithm, headers)
    print_either(context, {"token": token}, token)
    return 0


def decrypt(arguments: Namespace, context: Context) -> int:
    """Run `jose jwe decrypt`. Returns the exit code."""
    from keywright_jose.jwe.token import decrypted_token

    _check_input(arguments, "token")
    _check_algorithms(arguments)
    token = _read_token(arguments, context)
    key = _read_key_file(arguments, context) if arguments.key is None else _versions(token, arguments.key, context)
    found = decrypted_token(token, key, arguments.key_algorithm, arguments.content_algorithm)
    context.write_result(
        _document(found) if context.json else found.plaintext, output=arguments.output, force=arguments.force
    )
    return 0


def _check_algorithms(arguments: Namespace) -> KeyAlgorithm:
    from keywright_jose.jwe.algorithms import check_content_algorithm, check_key_algorithm

    with _wrong_call():
        check_content_algorithm(arguments.content_algorithm, "--content-algorithm")
        return check_key_algorithm(arguments.key_algorithm, "--key-algorithm")


def _versions(token: bytes, reference: str, context: Context) -> JweKeyInput:
    """Of `NAME` the versions that may decrypt; of `NAME@N` that one, whatever its phase.

    Of a token for another version of the key, say which; no secret is opened for that.
    """
    from keywright import parse_reference
    from keywright_jose.compact import read_header, split_token

    kid = read_header(split_token(token, 5)[0]).kid
    wanted = parse_reference(reference)
    versions = {one.info.kid: one for one in context.ring.show(wanted.name).versions}
    meant = None if kid is None else versions.get(kid)
    if wanted.version is not None:
        if meant is not None and meant.info.version != wanted.version:
            raise InvalidSignatureError(
                f"the token was encrypted for {meant.info.reference}, not for {reference}",
                hint=f"pass --key {meant.info.reference}",
            )
        return context.ring.load(reference)
    if meant is not None and meant.phase.value not in ("announced", "signing", "verifying"):
        gone = meant.phase.value == "destroyed"
        hint = "get a new token" if gone else f"to decrypt it nevertheless, pass --key {meant.info.reference}"
        raise InvalidSignatureError(
            f"the token was encrypted for {meant.info.reference}, which is {meant.phase.value}", hint=hint
        )
    return context.ring.decrypter(reference)


def _recipient(reference: str, context: Context) -> JweKeyInput:
    """Of an asymmetric key the public half, for which no secret is opened."""
    from keywright import Key
    from keywright.errors import PolicyError

    info = context.ring.resolve(reference)
    phases = {one.info.version: one.phase.value for one in context.ring.show(info.name).versions}
    if phases[info.version] not in ("signing", "announced"):
        raise PolicyError(
            f"{info.reference} is {phases[info.version]}, so it cannot encrypt",
            hint="use the primary version, or rotate the key",
        )
    if info.public is None:
        return context.ring.load(info.reference)
    return Key(info.key_type, info.kid, None, info.public, info.attributes)


def _document(found: Jwe) -> Secret:
    from base64 import b64encode
    from json import dumps

    from keywright import Secret

    about = {"encoding": "base64", "header": found.header, "kid": found.kid}
    return Secret(
        dumps(about | {"plaintext": b64encode(found.plaintext.reveal()).decode()}, sort_keys=True).encode() + b"\n"
    )


# Options and arguments that these commands share: what they are called, and what their values mean.


def _add_key_options(parser: ArgumentParser, key: str, key_file: str) -> None:
    """`--key` or `--key-file`, one of which is needed."""
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--key", metavar="KEY", help=key)
    group.add_argument("--key-file", metavar="FILE", help=f"{key_file}; - is stdin")


def _add_pairs_option(parser: ArgumentParser, option: str, help: str) -> None:
    """An option of `NAME=TEXT` and `NAME:=JSON`; see `_pairs`."""
    add_list(parser, option, "NAME=TEXT", f"{help}, NAME:=JSON if it is not text; may be repeated")


def _check_input(arguments: Namespace, what: str) -> None:
    """Refuse to read two things from standard input.

    Raises:
        ConfigError: both the key and the other input, `what`, are to be read there.
    """
    if arguments.key_file == "-" and arguments.file in (None, "-"):
        raise ConfigError(
            f"the key and the {what} cannot both be read from standard input", hint="pass a file for one of them"
        )


def _read_key_file(arguments: Namespace, context: Context) -> Members:
    """The JWK or JWK Set of `--key-file`."""
    from keywright_jose.jwk.inputs import read_keys

    return read_keys(context.read_input(arguments.key_file))


def _read_token(arguments: Namespace, context: Context) -> bytes:
    """The token in the file or on standard input, without the line end."""
    return context.read_input(arguments.file).reveal().removesuffix(b"\n").removesuffix(b"\r")


@contextmanager
def _wrong_call() -> Iterator[None]:
    """Refusals inside are about the value of an option.

    Raises:
        ConfigError: in place of FormatError and UnsupportedOperationError, which are of keys and tokens.
    """
    try:
        yield
    except (FormatError, UnsupportedOperationError) as error:
        raise ConfigError(str(error), hint=error.hint) from None


def _seconds_of(text: str, option: str, least: int, most: int, longest: str) -> int:
    """The seconds in the value of an option, such as `15m` or `900`; `longest` is `most` in words.

    Raises:
        ConfigError: it is not a duration, or too short or too long.
    """
    from datetime import timedelta

    from keywright import parse_duration

    try:
        seconds = parse_duration(text if text[-1:].isalpha() else f"{text}s") // timedelta(seconds=1)
    except ValueError:
        seconds = None
    if seconds is None or not least <= seconds <= most:
        raise ConfigError(
            f"{option} must be seconds, or a duration (s, m, h, d, w or y) such as 15m, from {least}s to {longest}"
        )
    return seconds


def _pairs(words: Sequence[str], option: str) -> dict[str, object]:
    """`NAME=TEXT` and `NAME:=JSON` words as a dict; `option` names where they come from in messages: "--claim".

    Raises:
        ConfigError: one is neither, its JSON is not valid, or a name stands twice.
    """
    found: dict[str, object] = {}
    for word in words:
        name, equals, value = word.partition("=")
        is_json = name.endswith(":")
        name = name.removesuffix(":")
        if not equals or not name:
            raise ConfigError(f"{option} is not NAME=TEXT or NAME:=JSON", hint="such as sub=alice or admin:=true")
        if name in found:
            raise ConfigError(f"{option} gives one name twice", hint="remove one of them")
        found[name] = _json_value(value, option) if is_json else value
    return found


def _json_value(text: str, option: str) -> object:
    from keywright import JsonProblem, read_json
    from keywright_jose.json import MAXIMUM_DEPTH

    value = read_json(text, depth=MAXIMUM_DEPTH - 1)  # it is inside an object
    if isinstance(value, JsonProblem):
        raise ConfigError(f"{option} NAME:=JSON has no valid JSON after :=", hint="for text write NAME=TEXT")
    return value
