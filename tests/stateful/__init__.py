"""Programs of random steps through the embedding API, each in a process of its own and compared with a model.

`python -m tests.stateful --minutes 10` looks for new ones; `--program '[["instance", 0, 0, 0], ...]'` runs one again.
"""
