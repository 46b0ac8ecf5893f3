"""Streams into streams: what is inlined where, and which functions are too large to be optimised."""
