"""The command line. A contract: people script it."""

from __future__ import annotations

__all__ = ["main"]


def main() -> int:
    """The entry point of the command `keywright`. Returns the exit code."""
    import gc

    # Nothing that a start allocates is garbage; looking for some takes a tenth of it. Collected again from then on.
    gc.disable()
    try:
        from keywright.cli.app import run

        return run()
    except KeyboardInterrupt:
        # Ctrl-C while modules are imported, or while something else is being told.
        return 130
    finally:
        gc.enable()
