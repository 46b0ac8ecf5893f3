"""What all tests share."""

from __future__ import annotations

import os
import signal

from hypothesis import settings

settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")
# Tests compile what they test, and leave the cache of whoever runs them alone; those of the cache have folders of their own.
os.environ["WASMCORE_CACHE"] = "0"
# A shell lets what it starts in the background ignore Ctrl-C, and so would all processes of these tests.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
