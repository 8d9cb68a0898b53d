"""``python -m simulator.demo``."""

import sys

from simulator.demo.cli import main

if __name__ == "__main__":
    sys.exit(main())
