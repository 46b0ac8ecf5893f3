"""What is made of innermost loops: vectors in place of numbers."""
