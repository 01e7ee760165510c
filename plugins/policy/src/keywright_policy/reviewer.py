"""`Reviewer`: what the rules object to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from keywright import format_time, hookimpl

if TYPE_CHECKING:
    from keywright import ReviewRequest
    from keywright_policy.rules import MaximumAge, Rule

_MAKING: Final = ("generate", "import", "rotate")
_STORING: Final = (*_MAKING, "migrate")
_USING: Final = ("bind", "export")


class Reviewer:
    """Objects to what breaks a rule. It looks at nothing but the request, so it may be asked from any thread."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)

    def __repr__(self) -> str:
        return f"<reviewer of {len(self._rules)} rules>"

    @hookimpl
    def keywright_review(self, request: ReviewRequest) -> Sequence[str]:
        """One sentence for each thing that a rule does not allow, `()` if there is none."""
        return tuple(
            objection for rule in self._rules if rule.has(request.name) for objection in _objections(rule, request)
        )


def _objections(rule: Rule, request: ReviewRequest) -> Iterator[str]:
    if rule.operations is not None and request.operation not in rule.operations:
        allowed = ", ".join(rule.operations)
        yield f"{rule} allows {allowed}, and no {request.operation}; if that should be, add it to the rule's operations"
    if request.operation == "export" and not rule.export:
        yield f"{rule} lets no secret half out; use the key where it is kept (sign), or change the rule"
    if request.operation == "migrate" and not rule.export and not request.sealed:
        yield f"{rule} lets no secret half out, and store {request.store!r} has no seal; migrate it into one that has"
    if request.operation in _STORING:
        yield from _of_what_is_stored(rule, request)
    if rule.maximum_age is not None:
        if request.operation in _MAKING:
            yield from _of_the_end(rule, rule.maximum_age, request)
        if request.operation in _USING:
            yield from _of_the_age(rule, rule.maximum_age, request)


def _of_what_is_stored(rule: Rule, request: ReviewRequest) -> Iterator[str]:
    if rule.types is not None and request.key_type not in rule.types:
        yield _not_allowed(rule, "types", rule.types, request.key_type)
    if rule.formats is not None and request.format not in rule.formats:
        yield _not_allowed(rule, "formats", rule.formats, request.format)
    least = (rule.minimum_bits or {}).get(request.key_type)
    if least is not None:
        yield from _of_the_size(rule, least, request)
    if rule.sealed and not request.sealed:
        yield (
            f"{rule} wants a store with a seal, and store {request.store!r} has none; set one for it, or name another "
            "--store"
        )


def _not_allowed(rule: Rule, what: str, allowed: Sequence[str], found: str | None) -> str:
    listed = ", ".join(allowed)
    return f"{rule} allows the {what} {listed}, and not {found or 'an unknown one'}; use another, or change the rule"


def _of_the_size(rule: Rule, least: int, request: ReviewRequest) -> Iterator[str]:
    if request.bits is not None and request.bits < least:
        yield (
            f"{rule} wants {least} bits or more of a key of type {request.key_type}, and this one has {request.bits}; "
            "use a larger one, or change the rule"
        )
    # What is migrated may be a tombstone, whose size is unknown.
    if request.bits is None and request.operation != "migrate":
        yield (
            f"{rule} wants {least} bits or more of a key of type {request.key_type}, and the size is not known before "
            "it is made; allow types by name in the rule's types instead"
        )


def _of_the_end(rule: Rule, age: MaximumAge, request: ReviewRequest) -> Iterator[str]:
    if request.expires is None:
        yield (
            f"{rule} wants keys that end {age.text} from now at the latest, and this one has no end; say --expires, or "
            "set its expires_in"
        )
    elif request.expires - request.time > age.duration:
        yield f"{rule} wants keys that end {age.text} from now at the latest; say an earlier --expires"


def _of_the_age(rule: Rule, age: MaximumAge, request: ReviewRequest) -> Iterator[str]:
    if request.created is None:
        yield (
            f"{rule} wants keys of at most {age.text}, and store {request.store!r} cannot tell how old this one is; "
            "keep it in a store with metadata, or change the rule"
        )
    elif request.time - request.created > age.duration:
        made = format_time(request.created.replace(microsecond=0))
        yield f"{rule} wants keys of at most {age.text}, and this one was made {made}; rotate it"
