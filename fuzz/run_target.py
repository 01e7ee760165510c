"""Run one target under atheris: `python fuzz/run_target.py TARGET [libFuzzer's arguments]`."""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Protocol, cast

_INSTRUMENTED = ["tomllib", "json", "keywright"]


class _Atheris(Protocol):
    """What is used of atheris, which has no types of its own."""

    enabled_hooks: set[str]

    def instrument_imports(self, include: list[str]) -> AbstractContextManager[None]: ...
    def Setup(  # noqa: N802 - its name
        self, arguments: list[str], check: Callable[[bytes], None], **options: Callable[[bytes, int, int], bytes]
    ) -> list[str]: ...
    def Fuzz(self) -> None: ...  # noqa: N802 - its name
    def Mutate(self, data: bytes, size: int) -> bytes: ...  # noqa: N802 - its name


def main() -> None:
    """Import everything under instrumentation, the target last, and hand it over to libFuzzer."""
    atheris = cast(_Atheris, import_module("atheris"))
    name = sys.argv.pop(1)
    sys.path.insert(0, str(Path(__file__).parent))
    from fuzz_targets.contract import OWN_PACKAGES  # it imports nothing but the errors

    for module in [one for one in sys.modules if one.partition(".")[0] in ("keywright", "fuzz_targets")]:
        del sys.modules[module]
    with atheris.instrument_imports(include=[*_INSTRUMENTED, *OWN_PACKAGES]):
        import tomllib  # noqa: F401 - instrumented

        for package in OWN_PACKAGES:
            for module in _modules(package):
                import_module(module)
        from fuzz_targets import load

        target = load(name)

    mutate = target.mutate

    def custom(data: bytes, size: int, seed: int) -> bytes:
        random = Random(seed)
        made = mutate(data, random) if mutate is not None and seed % 2 else None
        return atheris.Mutate(data, size) if made is None else made[:size]

    options = {} if mutate is None else {"custom_mutator": custom}
    atheris.Setup(sys.argv, lambda data: target.check(bytes(data)), **options)
    atheris.Fuzz()


def _modules(package: str) -> list[str]:
    paths = import_module(package).__path__
    found = [one.name for one in pkgutil.walk_packages(paths, f"{package}.")]
    return [name for name in found if ".testing" not in name and not name.endswith("__main__")]


if __name__ == "__main__":
    main()
