"""Rules: what the setting `rules` says, read strictly, and what they object to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

from keywright import Problem, check_name, did_you_mean, format_time, hookimpl, parse_duration
from keywright.errors import ConfigError, InvalidNameError

if TYPE_CHECKING:
    from keywright import InstalledNames, ReviewRequest

OPERATIONS: Final = (
    "generate",
    "import",
    "rotate",
    "label",
    "disable",
    "enable",
    "compromise",
    "destroy",
    "export",
    "bind",
    "migrate",
    "rewrap",
    "remove",
)
"""What can be done with a key, as `keywright.ReviewRequest.operation` has it."""

_RENAMED: Final = {"reseal": "rewrap"}
_EVERY_NAME: Final = "*"
_LARGEST_BITS: Final = 1_000_000
_MAKING: Final = ("generate", "import", "rotate")
_STORING: Final = (*_MAKING, "migrate")
_USING: Final = ("bind", "export")
_DEMANDS: Final = "types, formats, minimum_bits, maximum_age, sealed = true, export = false and operations"


class MaximumAge(NamedTuple):
    """A duration, and how it was written."""

    duration: timedelta
    text: str


class Rule(NamedTuple):
    """One table of `rules`. A member that is None demands nothing.

    Attributes:
        number: its place in the list, from 1.
        names: exact names, and beginnings of names with `*` at their end.
        types, formats, operations: the only ones that are allowed.
        minimum_bits: of a key of a type, by the type's name, as the type counts them.
        maximum_age: how old a key that is used may be.
        sealed: whether its store must seal what it is given.
        export: whether its secret half may be handed out.
    """

    number: int
    names: tuple[str, ...] = (_EVERY_NAME,)
    types: tuple[str, ...] | None = None
    formats: tuple[str, ...] | None = None
    operations: tuple[str, ...] | None = None
    minimum_bits: Mapping[str, int] | None = None
    maximum_age: MaximumAge | None = None
    sealed: bool = False
    export: bool = True

    def has(self, name: str) -> bool:
        """Whether the rule is for the key `name`."""
        return any(
            name.startswith(wanted[:-1]) if wanted.endswith(_EVERY_NAME) else name == wanted for wanted in self.names
        )

    def __str__(self) -> str:
        return f"rule {self.number} ({', '.join(self.names)})"


def read_rules(given: object, known: InstalledNames) -> tuple[Rule, ...]:
    """The rules of a list of tables.

    Raises:
        ConfigError: the list is empty, or a table has an unknown member or an invalid value, names a key type or
            format that is not `known` (it would apply to nothing), sets bits for a type of fixed size, or demands
            nothing.
    """
    tables = given if isinstance(given, list | tuple) else ()
    if not tables:
        raise ConfigError("rules is empty", hint="add a rule, or remove the table")
    rules = tuple(_rule(number, table) for number, table in enumerate(tables, 1))
    for rule in rules:
        _check_known(f"rule {rule.number}: types", "key type", rule.types or (), known.key_types)
        _check_known(f"rule {rule.number}: minimum_bits", "key type", rule.minimum_bits or (), known.key_types)
        _check_known(f"rule {rule.number}: formats", "format", rule.formats or (), known.formats)
        if not known.sizable_key_types >= (rule.minimum_bits or {}).keys():
            sizable = ", ".join(sorted(known.sizable_key_types)) or "none"
            raise ConfigError(
                f"rule {rule.number}: minimum_bits has a key type whose size is fixed",
                hint=f"remove it there, and list allowed types in types; types with sizes: {sizable}",
            )
    return rules


def _check_known(where: str, what: str, named: Iterable[str], known: tuple[str, ...]) -> None:
    for name in named:
        if name not in known:
            listed = ", ".join(known) or "none"
            raise ConfigError(
                f"{where} has a {what} that is not installed{did_you_mean(name, known)}", hint=f"available: {listed}"
            )


def _rule(number: int, table: Mapping[str, object]) -> Rule:
    members: dict[str, Any] = {}  # each of the type that its reader returns
    for name, value in table.items():
        if name not in _READERS:
            # A name that no setting could have is not repeated: it may be a value, even a secret.
            unknown = "a member whose name is not of a-z, 0-9 and '_'"
            if re.fullmatch("[a-z][a-z0-9_]{0,40}", name):
                unknown = f"no member {name!r}{did_you_mean(name, _READERS)}"
            raise ConfigError(f"rule {number} has {unknown}", hint=f"a rule has: {', '.join(_READERS)}")
        members[name] = _READERS[name](f"rule {number}: {name}", value)
    rule = Rule(number)._replace(**members)
    if rule._replace(names=()) == Rule(number, names=()):
        raise ConfigError(f"rule {number} has no requirement", hint=f"add one of {_DEMANDS}, or remove the rule")
    if rule.types is not None and rule.minimum_bits is not None and not rule.minimum_bits.keys() <= {*rule.types}:
        raise ConfigError(
            f"rule {number}: minimum_bits has a type that types does not allow", hint="correct its name, or remove it"
        )
    return rule


def _refuse(where: str, rule: str) -> NoReturn:
    raise ConfigError(f"{where} must be {rule}")


def _texts(where: str, value: object) -> tuple[str, ...]:
    texts = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list | tuple) else ()
    named = tuple(text for text in texts if isinstance(text, str) and text)
    if not named or len(named) < len(texts):
        _refuse(where, "a string, or a list of strings that is not empty")
    return named


def _names(where: str, value: object) -> tuple[str, ...]:
    texts = _texts(where, value)
    for text in texts:
        # A beginning is valid if some name begins so: a rule for impossible names would apply to nothing.
        try:
            check_name(f"{text[:-1]}a" if text.endswith(_EVERY_NAME) else text)
        except InvalidNameError:
            _refuse(where, "names of keys, or beginnings of them with a * at the end, such as prod/*")
    return texts


def _plugin_names(where: str, value: object) -> tuple[str, ...]:
    texts = _texts(where, value)
    if not all(_is_plugin_name(text) for text in texts):
        _refuse(where, "names of a-z, digits and '-', such as ed25519 or jwk")
    return texts


def _is_plugin_name(text: str) -> bool:
    return re.fullmatch("[a-z][a-z0-9-]*", text) is not None


def _operations(where: str, value: object) -> tuple[str, ...]:
    texts = _texts(where, value)
    for text in texts:
        if text in _RENAMED:
            raise ConfigError(f"{where}: {text!r} was renamed to {_RENAMED[text]!r}", hint="use the new name")
    if not set(texts) <= set(OPERATIONS):
        near = next(filter(None, (did_you_mean(text, OPERATIONS) for text in texts if text not in OPERATIONS)), "")
        _refuse(where, f"of these{near}: {', '.join(OPERATIONS)}")
    return texts


def _minimum_bits(where: str, value: object) -> Mapping[str, int]:
    rule = f"a table of key types and whole numbers from 1 to {_LARGEST_BITS}, such as {{ rsa = 3072 }}"
    bits: dict[str, int] = {}
    for name, number in value.items() if isinstance(value, Mapping) else ():
        is_number = isinstance(number, int) and not isinstance(number, bool)
        if not (_is_plugin_name(name) and is_number and 1 <= number <= _LARGEST_BITS):
            _refuse(where, rule)
        bits[name] = number
    if not bits:
        _refuse(where, rule)
    return bits


def _maximum_age(where: str, value: object) -> MaximumAge:
    duration = timedelta()
    if isinstance(value, str):
        with suppress(ValueError):
            duration = parse_duration(value)
    if not duration:
        _refuse(where, "a whole number from 1 and a unit: s, m, h, d, w or y, such as 365d; at most 36500d")
    return MaximumAge(duration, str(value))


def _boolean(where: str, value: object) -> bool:
    if not isinstance(value, bool):
        _refuse(where, "true or false")
    return value


_Objection = tuple[str, str]  # message and hint
_READERS: Final[Mapping[str, Callable[[str, object], Any]]] = {
    "names": _names,
    "types": _plugin_names,
    "formats": _plugin_names,
    "minimum_bits": _minimum_bits,
    "maximum_age": _maximum_age,
    "sealed": _boolean,
    "export": _boolean,
    "operations": _operations,
}


# ---- what the rules object to


class Reviewer:
    """Objects to what breaks a rule. It looks at nothing but the request, so it may be asked from any thread."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)

    def __repr__(self) -> str:
        return f"<reviewer of {len(self._rules)} rules>"

    @hookimpl
    def keywright_review(self, request: ReviewRequest) -> Sequence[Problem]:
        """A problem for each thing that a rule does not allow, `()` without one; its subject is the rule."""
        return tuple(
            Problem(str(rule), message, hint)
            for rule in self._rules
            if rule.has(request.name)
            for message, hint in _objections(rule, request)
        )


def _objections(rule: Rule, request: ReviewRequest) -> Iterator[_Objection]:
    if rule.operations is not None and request.operation not in rule.operations:
        allowed = ", ".join(rule.operations)
        yield f"allows {allowed}, not {request.operation}", "to allow it, add it to the rule's operations"
    if request.operation == "export" and not rule.export:
        yield "does not allow the export of secret halves", "use the key in its store (sign), or change the rule"
    if request.operation == "migrate" and not rule.export and not request.sealed:
        message = f"does not allow secret halves in a store without a seal, such as {request.store!r}"
        yield message, "migrate it into one with a seal"
    if request.operation in _STORING:
        yield from _of_what_is_stored(rule, request)
    if rule.maximum_age is not None:
        if request.operation in _MAKING:
            yield from _of_the_end(rule.maximum_age, request)
        if request.operation in _USING:
            yield from _of_the_age(rule.maximum_age, request)


def _of_what_is_stored(rule: Rule, request: ReviewRequest) -> Iterator[_Objection]:
    for what, allowed, found in (("types", rule.types, request.key_type), ("formats", rule.formats, request.format)):
        if allowed is not None and found not in allowed:
            message = f"allows the {what} {', '.join(allowed)}, not {found or 'an unknown one'}"
            yield message, f"use one of the {what} that it allows, or change the rule"
    least = (rule.minimum_bits or {}).get(request.key_type)
    # What is migrated may be a tombstone, whose size is unknown.
    if least is not None and (request.bits is not None or request.operation != "migrate"):
        wanted = f"requires {request.key_type} keys of at least {least} bits"
        if request.bits is None:
            message = f"{wanted}, and the size is unknown before the key is generated"
            yield message, "allow types by name in the rule's types instead"
        elif request.bits < least:
            yield f"{wanted}, and this one has {request.bits}", "use a larger one, or change the rule"
    if rule.sealed and not request.sealed:
        message = f"requires a store with a seal, and store {request.store!r} has none"
        yield message, f"set stores.{request.store}.seal, or pass another --store"


def _of_the_end(age: MaximumAge, request: ReviewRequest) -> Iterator[_Objection]:
    wanted = f"requires keys that expire within {age.text}"
    if request.expires is None:
        yield f"{wanted}, and this one never expires", "pass --expires, or set its expires_in"
    elif request.expires - request.time > age.duration:
        yield f"{wanted}, and this one expires later", "pass an earlier --expires"


def _of_the_age(age: MaximumAge, request: ReviewRequest) -> Iterator[_Objection]:
    wanted = f"requires keys of at most {age.text}"
    if request.created is None:
        message = f"{wanted}, and store {request.store!r} has no creation time of this one"
        yield message, "keep it in a store with metadata, or change the rule"
    elif request.time - request.created > age.duration:
        created = format_time(request.created.replace(microsecond=0))
        yield f"{wanted}, and this one was created {created}", f"run `keywright rotate {request.name}`"
