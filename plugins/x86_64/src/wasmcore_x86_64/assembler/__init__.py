"""Bytes of x86-64 instructions."""
