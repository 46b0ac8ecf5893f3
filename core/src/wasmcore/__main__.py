"""`python -m wasmcore`."""

import sys

from wasmcore.cli import main

sys.exit(main())
