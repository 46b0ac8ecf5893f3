"""What is known of the locals of a function: what loops write, what is still read, and what they are."""
