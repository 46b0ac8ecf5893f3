"""The making of an instance: where everything stands in its context, segments, constants, built-ins."""
