"""What came of a row."""

from __future__ import annotations

from importlib import import_module

from hostile_tokens.case import Case
from hostile_tokens.ours import call_ours
from hostile_tokens.peers import Peer

__all__ = ["ACCEPTS", "NOT_ASKED", "REFUSES", "our_outcome", "outcome"]

REFUSES, ACCEPTS, NOT_ASKED = "refuses", "ACCEPTS", "n/a"


def our_outcome(case: Case) -> str:
    """Ours: it refuses with the very class of the row, or something is wrong."""
    call_ours(case.call, case.good)
    try:
        call_ours(case.call, case.bad)
    except case.error as error:
        return REFUSES if type(error) is case.error else _crash(error)
    except Exception as error:
        return _crash(error)
    return ACCEPTS


def outcome(case: Case, peer: Peer) -> str:
    """Another library's: its own errors, ValueError and TypeError refuse; any other error is a crash.

    It is not asked what it cannot do: where there is no such call, where its reader of keys sees no JSON, or where it
    does not take what is without a fault either.
    """
    call = peer.calls.get(case.call)
    if call is None or (isinstance(case.bad.key, bytes) and not peer.own_json):
        return NOT_ASKED
    try:
        call(case.good)
    except Exception:
        return NOT_ASKED
    own = tuple(getattr(import_module(module), name) for module, _, name in (one.partition(":") for one in peer.errors))
    try:
        call(case.bad)
    except (*own, ValueError, TypeError):
        return REFUSES
    except NotImplementedError:
        return NOT_ASKED
    except Exception as error:
        return _crash(error)
    return ACCEPTS


def _crash(error: Exception) -> str:
    return f"crashes ({type(error).__name__})"
