"""Streams into the text of LLVM's intermediate representation."""
