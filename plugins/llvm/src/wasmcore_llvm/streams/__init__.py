"""Streams that are too large to be optimised."""
