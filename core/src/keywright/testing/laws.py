"""How the kit runs its laws over generated values."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

__all__ = ["LAW", "SHORT_LAW"]

# A contract's method runs in each class that inherits it, with fixtures that live as long as one test; the methods
# here clean up after each example themselves.
_KNOWN = [HealthCheck.differing_executors, HealthCheck.function_scoped_fixture, HealthCheck.too_slow]

LAW = settings(max_examples=100, deadline=None, suppress_health_check=_KNOWN)
"""For values in memory."""

SHORT_LAW = settings(max_examples=25, deadline=None, suppress_health_check=_KNOWN)
"""For what writes to a store, or does heavy mathematics."""
