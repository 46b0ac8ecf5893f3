"""What the runtime asks of the operating system and of Python's collector: memory, locks, things to give back."""
