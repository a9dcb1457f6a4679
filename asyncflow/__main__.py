"""``python -m asyncflow``: the command line."""

from __future__ import annotations

import sys

from .cli.entry import main

sys.exit(main())
