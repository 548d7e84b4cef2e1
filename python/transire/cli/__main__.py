"""`python -m transire.cli` is `transire`."""

import sys

from transire.cli import main

if __name__ == "__main__":
    sys.exit(main())
