"""``python -m simulator.evaluation`` is ``astra-sim evaluate``."""

from __future__ import annotations

import argparse
import sys

from simulator.commands.evaluate import add_arguments, run

if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m simulator.evaluation", description="How good the steering is."
    )
    add_arguments(parser)
    sys.exit(run(parser.parse_args()))
