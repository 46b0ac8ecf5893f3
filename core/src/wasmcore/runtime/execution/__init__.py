"""Running machine code in this process: code memory, stubs, stores, threads, signal handlers, traps."""
