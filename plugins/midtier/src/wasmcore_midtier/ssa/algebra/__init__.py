"""What operations on numbers are equal to, and how large their results can be."""
