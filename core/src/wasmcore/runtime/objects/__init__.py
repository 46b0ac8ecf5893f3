"""What Python holds: memories, tables, globals, functions, tags, and the values and references in them."""
