"""Doing something to a key: reviewed before, observed after."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from keywright.records import RecordInfo
from keywright.ring.signer import BoundKey

if TYPE_CHECKING:
    from keywright.events import Operation, ReviewRequest
    from keywright.plugins.observers import Observers
    from keywright.ring.opened import OpenedStore

__all__ = ["describe", "perform"]

_T = TypeVar("_T")


def describe(
    operation: Operation,
    opened: OpenedStore,
    info: RecordInfo,
    now: datetime,
    bits: int | None = None,
    *,
    dry_run: bool = False,
) -> ReviewRequest:
    """What is about to happen to the version that `info` describes."""
    from keywright.events import ReviewRequest

    return ReviewRequest(
        operation=operation,
        who=_login_name(),
        name=info.name,
        version=info.version,
        kid=info.kid,
        store=opened.name,
        key_type=info.key_type,
        format=info.format,
        bits=bits,
        sealed=opened.seal_name is not None,
        labels=info.labels,
        created=info.created,
        expires=info.expires,
        time=now,
        dry_run=dry_run,
    )


def perform(
    observers: Observers, describe: Callable[[], ReviewRequest], clock: Callable[[], datetime], action: Callable[[], _T]
) -> _T:
    """Ask the reviewers, act, and tell the observers the outcome. Without any of them, just act.

    Raises:
        PolicyError: a reviewer objects; nothing was done. Beside it, whatever `action` raises.
    """
    if not observers.listens:
        return action()
    from keywright.events import KeyEvent

    request = describe()
    kid = request.kid
    outcome = "done"
    try:
        observers.review(request)
        result = action()
        kid = result.kid if isinstance(result, RecordInfo | BoundKey) else kid
    except BaseException as error:
        outcome = type(error).__name__
        raise
    finally:
        observers.observe(
            KeyEvent(
                operation=request.operation,
                who=request.who,
                name=request.name,
                version=request.version,
                kid=kid,
                store=request.store,
                outcome=outcome,
                time=clock(),
            )
        )
    return result


def _login_name() -> str:
    """The name of the user that this process acts for; the number where the system knows no name."""
    try:
        import pwd
    except ImportError:  # Windows
        return os.environ.get("USERNAME", "")
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
