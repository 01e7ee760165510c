"""Names that several whole-system tests use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Protocol

COMMAND = str(Path(sys.executable).with_name("keywright"))


class Keywright(Protocol):
    """Runs `keywright ARGUMENTS`; stdout and stderr are bytes."""

    def __call__(
        self, *arguments: str, input: bytes = b"", env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]: ...
