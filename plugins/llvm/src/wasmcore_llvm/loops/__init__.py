"""What is known of an innermost loop before it runs: its iterations, and the ranges of memory it touches."""
