"""What is known of streams before they are written: which functions are too large to be optimised, which locals loops write."""
