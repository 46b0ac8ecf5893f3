"""Traps, bad input, interruption, threads: nothing ends the process but what should."""
