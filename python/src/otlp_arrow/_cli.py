"""The `otlp-arrow` command."""

from __future__ import annotations

import signal
import sys

from otlp_arrow import _native


def main() -> None:
    """Run the command line of the core; it handles SIGINT and SIGTERM itself."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(_native.run_cli(sys.argv[1:]))
