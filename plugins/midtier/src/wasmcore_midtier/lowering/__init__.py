"""The graph as macro records: a room for each kind of value, one class above the other, and what puts them in order."""
