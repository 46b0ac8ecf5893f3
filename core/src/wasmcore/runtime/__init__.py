"""Runs compiled code: memories, tables, functions, instances, traps and threads."""
