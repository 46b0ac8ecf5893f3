"""The pieces of machine code that the runtime itself needs."""
