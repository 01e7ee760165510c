"""`keywright jose jws sign` and `verify`, with a key of the ring or one in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.errors import ConfigError, FormatError
from keywright_jose.cli.options import (
    add_key_options,
    add_pairs_option,
    check_input,
    pairs,
    print_token,
    read_key_file,
    read_token,
    seconds_of,
    wrong_call,
)

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from keywright import Commands, Context
    from keywright_jose.jws import Jws


def add_jws_commands(commands: Commands) -> None:
    """Add them to the table."""
    commands.add(
        "jose jws sign",
        help="print a signed token (JWS) of claims",
        configure=_configure_sign,
        run=_sign,
        examples=(
            "keywright jose jws sign --key prod/jwt --ttl 15m < claims.json",
            "keywright jose jws sign --key-file hs256.jwk --algorithm HS256 --header typ=JWT claims.json",
        ),
    )
    commands.add(
        "jose jws verify",
        help="verify a signed token (JWS) and print its claims; exit code 1 if it is not good",
        configure=_configure_verify,
        run=_verify,
        examples=(
            "keywright jose jws verify --key prod/jwt token",
            "keywright jose jws verify --key-file jwks.json --algorithm ES256 --claim aud=api --json < token",
        ),
    )


def _configure_sign(parser: ArgumentParser) -> None:
    add_key_options(parser, "the name of a key of the ring", "a JWK")
    parser.add_argument("--algorithm", metavar="A", help="such as HS256 or ES256; needed unless the key says its own")
    add_pairs_option(parser, "--header", "one more member of the header")
    parser.add_argument(
        "--ttl", metavar="D", help="set iat, nbf and exp: how long it is good, such as 15m, or in seconds"
    )
    parser.add_argument("file", nargs="?", metavar="CLAIMS", help="a JSON object; - or nothing: stdin")


def _configure_verify(parser: ArgumentParser) -> None:
    add_key_options(parser, "the name of a key of the ring", "a JWK or JWK Set")
    parser.add_argument(
        "--algorithm",
        action="append",
        default=[],
        metavar="A",
        help="one that is allowed, such as ES256; needed unless the key says its own; may be repeated",
    )
    add_pairs_option(parser, "--claim", "a claim that must be there and be just that")
    parser.add_argument(
        "--time-drift",
        metavar="D",
        help="how far the issuer's clock may be off, such as 30s, 10m at most (default: 0s)",
    )
    parser.add_argument(
        "--signature-only", action="store_true", help="check no claims, and print the payload as it was signed"
    )
    parser.add_argument("file", nargs="?", metavar="TOKEN", help="the token; - or nothing: stdin")


def _sign(arguments: Namespace, context: Context) -> int:
    from keywright_jose.jws import bound_signer, check_algorithm, checked_headers, signer
    from keywright_jose.jwt import MAXIMUM_TTL, with_times

    check_input(arguments, "claims")
    with wrong_call():
        headers = checked_headers(pairs(arguments.header, "--header") or None, "--header")
        if arguments.algorithm is not None:
            check_algorithm(arguments.algorithm, "--algorithm")
    ttl = None if arguments.ttl is None else seconds_of(arguments.ttl, "--ttl", 1, MAXIMUM_TTL, "3650d")
    # The claims first: they may take their time, and a key that is compromised meanwhile must not sign.
    claims = _claims(context.read_input(arguments.file).reveal())
    if arguments.key is not None:
        bound = signer(context.ring.signer(arguments.key, algorithm=arguments.algorithm), headers=headers)
    else:
        bound = bound_signer(read_key_file(arguments, context), arguments.algorithm, headers)
    token = bound.sign(with_times(claims, ttl, None))
    return print_token(token, context)


def _verify(arguments: Namespace, context: Context) -> int:
    from keywright_jose.jws import check_allowed
    from keywright_jose.jwt import MAXIMUM_DRIFT, read_claims, validate_claims

    check_input(arguments, "token")
    if arguments.signature_only and (arguments.claim or arguments.time_drift is not None):
        raise ConfigError("--signature-only checks no claims", hint="leave out --claim and --time-drift")
    expected = pairs(arguments.claim, "--claim")
    drift = seconds_of(arguments.time_drift or "0", "--time-drift", 0, MAXIMUM_DRIFT, "10m")
    with wrong_call():
        check_allowed(arguments.algorithm or None, "--algorithm")
    found = _verified(arguments, context)
    if arguments.signature_only:
        _print_payload(found, context)
        return 0
    claims = read_claims(found.payload)
    validate_claims(claims, expected, drift, None)
    if context.json:
        context.print_json(_about(found) | {"claims": claims})
    else:
        import json

        # In ASCII: what a token says may steer a terminal.
        context.print(json.dumps(claims))
    return 0


def _verified(arguments: Namespace, context: Context) -> Jws:
    from keywright_jose.jws import bound_verifier, verifier

    token = read_token(arguments, context)
    allowed = arguments.algorithm or None
    if arguments.key is None:
        return bound_verifier(read_key_file(arguments, context), allowed, allow_padding=False).verify(token)
    algorithm = _algorithm_of_ring(token, arguments.algorithm)
    return verifier(context.ring.verifier(arguments.key, algorithm=algorithm), algorithms=allowed).verify(token)


def _algorithm_of_ring(token: bytes, allowed: list[str]) -> str | None:
    """A key of the ring is bound with one algorithm: of those that are allowed, the token's own."""
    from keywright_jose.compact import read_header, split_token
    from keywright_jose.jws import check_allowed

    if not check_allowed(allowed or None):
        return None
    own = read_header(split_token(token, 3)[0]).algorithm
    return own if own in allowed else allowed[0]


def _print_payload(found: Jws, context: Context) -> None:
    if context.json:
        from base64 import b64encode

        context.print_json(_about(found) | {"payload": b64encode(found.payload).decode(), "encoding": "base64"})
    else:
        context.write(found.payload)


def _about(found: Jws) -> dict[str, object]:
    return {"header": found.header, "kid": found.kid, "reference": found.reference}


def _claims(data: bytes) -> dict[str, object]:
    from keywright import JsonProblem, read_json_object
    from keywright_jose.json import MAXIMUM_DEPTH

    claims = read_json_object(data, depth=MAXIMUM_DEPTH)
    if isinstance(claims, JsonProblem):
        raise FormatError(
            "the claims are not one JSON object in UTF-8 with each member once, 32 levels at most", hint="correct it"
        )
    return claims
