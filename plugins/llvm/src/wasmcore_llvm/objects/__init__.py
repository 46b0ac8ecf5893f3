"""Object files apart: code, trap table, address map."""
