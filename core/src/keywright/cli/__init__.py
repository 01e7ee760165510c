"""The command line. A contract: people script it."""

from __future__ import annotations

__all__ = ["main"]


def main() -> int:
    """The entry point of the command `keywright`. Returns the exit code."""
    import gc

    # Nothing that a start allocates is garbage, and a search for some takes a tenth of it.
    gc.disable()
    try:
        from keywright.cli.app import run

        return run()
    except KeyboardInterrupt:
        # Ctrl-C while modules are imported, or while another error is printed.
        return 130
    finally:
        gc.enable()
