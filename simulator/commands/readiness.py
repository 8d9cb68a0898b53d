"""How a process that was started in the background tells whether it has begun to work."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

READY = b"ready\n"


class Readiness:
    """Tells whoever started this process, through a pipe, or nobody."""

    def __init__(self, descriptor: int | None) -> None:
        """:param descriptor: of the pipe's writing end; None when nobody waits."""
        self._descriptor = descriptor

    def ready(self) -> None:
        """It works."""
        self._write(READY)

    def failed(self, reason: str) -> int:
        """It does not, and why; on standard error when nobody waits. The exit status."""
        if self._descriptor is None:
            sys.stderr.writelines(f"astra-sim: {line}\n" for line in reason.splitlines())
        else:
            self._write(reason.encode("utf-8", "replace"))
        return 1

    def _write(self, content: bytes) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):  # whoever waited has gone
                os.write(descriptor, content)
                os.close(descriptor)
