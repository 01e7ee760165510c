"""The page of who accepts what: all cases by title, and the words around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hostile_tokens.case import Case
from hostile_tokens.encrypted_cases import encrypted_cases
from hostile_tokens.key_cases import key_cases
from hostile_tokens.signature_cases import signature_cases
from hostile_tokens.token_cases import claims_cases, header_cases, spelling_cases

TABLE: dict[str, tuple[Case, ...]] = {
    "Signed tokens": (*spelling_cases(), *header_cases(), *signature_cases(), *claims_cases()),
    "Encrypted tokens": tuple(encrypted_cases()),
    "Keys": tuple(key_cases()),
}
"""By the heading under which they are printed."""


_INTRODUCTION = """\
# Hostile tokens

Tokens and keys with exactly one fault each. keywright refuses all of them, each with the error that is named, and
takes each of them without its fault. The same tokens and keys were given to other libraries; the page shows what came
of it. `nox -s hostile_tokens` prints it again.

{ground}

How to read it:

- **rule** says where the fault is forbidden. With *may* or *should* the standard leaves a choice, with *intent* it says
  what a key is for, with *producer* it binds who writes such a thing and not who reads it. With *ours* no standard
  forbids it: it is strictness that keywright adds. A library that accepts any of these breaks no rule.
- **refuses**: an error of the library's own, ValueError or TypeError. **crashes**: any other error, named; code that
  catches the library's errors alone does not catch it. **n/a**: not asked, because the library has no such call, reads
  no JSON text of keys, or does not take the token or key without the fault either.
- Each library is called as its documentation shows, with the list of allowed algorithms, the audience and the issuer
  where its call takes them, and its defaults for the rest. python-jose's `jwe.decrypt` takes no list of algorithms. A
  warning is not a refusal. authlib's `authlib.jose`, which its authors call deprecated in favour of joserfc, is what
  was asked.
- Keys are loaded and made ready for use; that a library checks more of a key somewhere else does not show here.
"""


def page(
    ground: str,
    names: Sequence[str],
    totals: Sequence[tuple[str, tuple[int, ...]]],
    rows: Mapping[str, Sequence[tuple[Case, tuple[str, ...]]]],
) -> str:
    """All of it. `names` head the columns of outcomes."""
    lines = [_INTRODUCTION.format(ground=ground), f"| of {_count(rows)} | {' | '.join(names)} |"]
    lines.append("|---" + "|--:" * len(names) + "|")
    lines += [f"| {what} | {' | '.join(map(str, counts))} |" for what, counts in totals]
    for title, each in rows.items():
        lines += ["", f"## {title}", "", f"| | fault | rule | {' | '.join(names)} |", "|---" * (3 + len(names)) + "|"]
        lines += [f"{start_of_row(case)} | {' | '.join(found[1:])} |" for case, found in each]
    return "\n".join(lines) + "\n"


def start_of_row(case: Case) -> str:
    """What the row says without anybody else: the fault, the rule, and what it is refused with here."""
    return f"| {case.name} | {case.fault} | {case.rule} | {case.error.__name__}"


def _count(rows: Mapping[str, Sequence[object]]) -> int:
    return sum(map(len, rows.values()))
