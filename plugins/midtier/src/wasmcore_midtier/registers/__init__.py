"""Which value is in which register when: positions and uses, one walk that decides by next use, moves between blocks."""
