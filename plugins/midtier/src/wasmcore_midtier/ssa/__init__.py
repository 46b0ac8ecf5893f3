"""A function as a graph of values: how it is built from a stream, its rules, its text, and what has to hold of it."""
