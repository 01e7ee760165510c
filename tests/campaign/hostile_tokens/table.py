"""The table: every hostile token and key, by what it is."""

from __future__ import annotations

from hostile_tokens.case import Case
from hostile_tokens.claims_cases import claims_cases
from hostile_tokens.encrypted_cases import encrypted_cases
from hostile_tokens.header_cases import header_cases
from hostile_tokens.key_cases import key_cases
from hostile_tokens.signature_cases import signature_cases
from hostile_tokens.spelling_cases import spelling_cases

__all__ = ["TABLE"]

TABLE: dict[str, tuple[Case, ...]] = {
    "Signed tokens": (*spelling_cases(), *header_cases(), *signature_cases(), *claims_cases()),
    "Encrypted tokens": tuple(encrypted_cases()),
    "Keys": tuple(key_cases()),
}
"""By the heading under which they are printed."""
