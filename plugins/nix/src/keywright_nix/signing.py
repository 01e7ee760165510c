"""Signing one narinfo: the usual one by a line at its end, any other anew."""

from __future__ import annotations

from keywright.errors import KeywrightError
from keywright_nix.job import Job
from keywright_nix.outcome import GONE, Outcome, written
from keywright_nix.rewrite import read_narinfo
from keywright_nix.usual import line_to_append

__all__ = ["sign_narinfo"]


def sign_narinfo(path: str, job: Job) -> Outcome:
    """Do the job on one file. What goes wrong with the file is the outcome's, not raised.

    Raises:
        KeywrightError: a key signs no more.
    """
    bound = [key() for key in job.keys]
    try:
        data, status = read_narinfo(path)
    except FileNotFoundError:
        return GONE
    except KeywrightError as error:
        return Outcome("faulty", error)
    if job.only_adds and len(bound) == 1:  # as in most runs, and then to most narinfos
        line = line_to_append(data, bound[0].name, bound[0].sign, job.store_dir)
        if line is not None:
            return written(path, data, data + line, status, job)
    # Imported here, for most runs never need it.
    from keywright_nix.resigning import resign

    return resign(path, data, status, bound, job)
