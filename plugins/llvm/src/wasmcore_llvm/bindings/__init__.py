"""LLVM itself: text in, an object file out."""
