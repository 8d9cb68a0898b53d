"""``python -m astrameter``."""

import sys

from astrameter.cli import main

if __name__ == "__main__":
    sys.exit(main())
