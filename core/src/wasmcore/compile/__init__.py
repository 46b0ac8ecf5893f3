"""From a source to code: units, backends and their processes, the cache, what an engine is."""
