"""How the records of the singlepass compiler become machine code."""
