"""`nix verify`: which narinfos of a binary cache lack signatures of trusted keys."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from keywright import failure_document, print_either
from keywright.errors import ConfigError, KeywrightError
from keywright_nix.cache import find_caches, read_store_dir
from keywright_nix.cli.problems import Problems
from keywright_nix.narinfo import parse_of_store
from keywright_nix.rewrite import read_narinfo
from keywright_nix.signature import TrustedKeys, judge, parse_trusted, sentence

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from keywright import Context
    from keywright_nix.cache import Cache


def configure_verify(parser: ArgumentParser) -> None:
    """Add the arguments of `nix verify`."""
    parser.add_argument(
        "cache", nargs="+", metavar="CACHE", help="a directory or file:// URL of a binary cache, or a file *.narinfo"
    )
    keys = "public keys, NAME:BASE64, separated by spaces, as in nix.conf"
    parser.add_argument("--trusted-public-keys", required=True, metavar="KEYS", help=keys)
    needed = "how many distinct keys must have signed (default 1), content-addressed paths too"
    parser.add_argument("--sigs-needed", type=int, default=1, metavar="NUMBER", help=needed)


def verify(arguments: Namespace, context: Context) -> int:
    """Print a line for each narinfo that lacks signatures, and a summary; with `--json` a JSON line each.

    Returns 0 if every one has them, else 1, or the exit code of the first that could not be read. It is also 1 if Nix
    would refuse to work at all, because a trusted key is malformed.

    Raises:
        ConfigError: The arguments do not fit, no key is trusted, or a directory is not a binary cache.
        AccessDeniedError: It cannot be read.
    """
    trusted = parse_trusted(arguments.trusted_public_keys)
    run = _Run(context, trusted, arguments.sigs_needed)
    for warning in trusted.warnings:
        run.warn(f"--trusted-public-keys: {warning}")
    if not trusted.keys:
        raise ConfigError("--trusted-public-keys has no valid Nix key", hint="pass NAME:BASE64, separated by spaces")
    if arguments.sigs_needed < 1:
        raise ConfigError("--sigs-needed must be a whole number, 1 or more")
    distinct = len(set(trusted.keys.values()))
    if distinct < arguments.sigs_needed:
        run.warn(
            f"--sigs-needed {arguments.sigs_needed}: no path can have so many, because {distinct} keys are trusted"
        )
    for cache in find_caches(arguments.cache):
        run.verify(cache)
    return run.report()


class _Run:
    """What was found so far."""

    def __init__(self, context: Context, trusted: TrustedKeys, needed: int) -> None:
        self._context = context
        self._trusted = trusted
        self._needed = needed
        self._problems = Problems(context)
        self._counts: Counter[str] = Counter()
        self._stray: Counter[str] = Counter()
        self._warnings: list[str] = []

    def warn(self, message: str, *, hint: str | None = None) -> None:
        """Print a warning, and keep it for the summary in JSON."""
        self._context.warn(message, hint=hint)
        self._warnings.append(f"{message}; {hint}" if hint else message)

    def verify(self, cache: Cache) -> None:
        """Check the narinfos of a cache."""
        cache.check()
        try:
            store = read_store_dir(cache.directory)
        except KeywrightError as error:
            store = b""
            self._report_problem(error)
        with self._context.progress(None, "narinfos") as progress:
            progress.expect(cache.count)
            for name in cache.names():
                try:
                    document = self._verify(f"{cache.directory}/{name}", store)
                except KeywrightError as error:
                    progress.clear()
                    self._report_problem(error)
                else:
                    if document is not None:
                        progress.clear()
                        print_either(self._context, document, str(document["message"]))
                progress.advance()

    def _verify(self, path: str, store: bytes) -> dict[str, object] | None:
        """Check one narinfo of a cache for `store` (empty: any). Returns a document if it lacks signatures.

        Raises:
            KeywrightError: It cannot be read, or is malformed.
        """
        try:
            info = parse_of_store(read_narinfo(path)[0], path, store)
        except FileNotFoundError:
            self._counts["gone"] += 1
            return None
        verdict = judge(info.fingerprint(), info.signatures, self._trusted.keys)
        self._stray.update(verdict.stray)
        self._counts["odd"] += not verdict.is_canonical
        if verdict.keys >= self._needed:
            self._counts["verified"] += 1
            return None
        self._counts["bad"] += 1
        return {
            "file": path,
            "path": info.store_path,
            "needed": self._needed,
            "holding": list(verdict.holding),
            "not_holding": list(verdict.broken),
            "message": f"{info.store_path}: {sentence(verdict, self._needed)}",
        }

    def _report_problem(self, error: KeywrightError) -> None:
        self._counts["faults"] += 1
        self._problems.add(error)
        if self._context.json:
            self._context.print_json(failure_document(error))

    def report(self) -> int:
        """Print the summary. Returns the exit code."""
        for name, count in sorted(self._stray.items()):
            self.warn(
                f"{count} narinfos have a signature under {name} that is not valid, beside one that is",
                hint="`nix store verify` fails on them: run `keywright nix sign CACHE --drop NAME`, then sign again",
            )
        if self._counts["odd"]:
            self.warn(
                (
                    f"{self._counts['odd']} narinfos have a signature that is not written as Nix writes it, which "
                    f"other programs may refuse"
                ),
                hint="drop it and sign again",
            )
        malformed = self._trusted.malformed
        counts = {kind: self._counts[kind] for kind in ("verified", "bad", "gone", "faults")}
        if self._context.json:
            self._context.print_json({**counts, "malformed_keys": malformed, "warnings": self._warnings})
        else:
            always = ("verified", "bad")
            shown = [f"{kind} {count}" for kind, count in counts.items() if kind in always or count]
            shown += [f"malformed keys {malformed}, and Nix would refuse to work at all"] if malformed else []
            self._context.print(", ".join(shown))
        return self._problems.exit_code or int(self._counts["bad"] > 0 or malformed > 0)
