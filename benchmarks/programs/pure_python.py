"""What CPython runs as a benchmark, natively and compiled to WebAssembly: only the interpreter and built-in types.

Prints the seconds of the measured runs and a checksum; the first run warms up.
"""

import time


def spectral_norm(size):
    """Floats and nested loops."""
    vector = [1.0] * size
    for _ in range(3):
        for transposed in (False, True):
            product = []
            for i in range(size):
                total = 0.0
                for j in range(size):
                    row, column = (j, i) if transposed else (i, j)
                    total += vector[j] / ((row + column) * (row + column + 1) // 2 + row + 1)
                product.append(total)
            vector = product
    return sum(vector)


def queens(size, row=0, columns=0, left=0, right=0):
    """Recursion and integers."""
    if row == size:
        return 1
    count = 0
    free = ~(columns | left | right) & ((1 << size) - 1)
    while free:
        bit = free & -free
        free ^= bit
        count += queens(size, row + 1, columns | bit, (left | bit) << 1, (right | bit) >> 1)
    return count


def count_words(number):
    """Strings, dictionaries, sorting."""
    state = 1
    words = []
    for _ in range(number):
        state = state * 1103515245 + 12345 & 0x7FFFFFFF
        words.append(f"word{state % 997:03}")
    counts = {}
    for word in " ".join(words).upper().split():
        counts[word] = counts.get(word, 0) + 1
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:5]


class Account:
    """Attributes and methods."""

    def __init__(self, balance):
        self.balance = balance

    def move(self, amount, other):
        if self.balance >= amount:
            self.balance -= amount
            other.balance += amount


def bank(number):
    """Objects that call each other."""
    accounts = [Account(100) for _ in range(50)]
    for i in range(number):
        accounts[i % 50].move(i % 17, accounts[i * 7 % 50])
    return [account.balance for account in accounts[:5]]


def run():
    """One run of everything."""
    return repr((spectral_norm(60), queens(6), count_words(8000), bank(20000)))


run()
start = time.perf_counter()
results = {run() for _ in range(3)}
seconds = time.perf_counter() - start
assert len(results) == 1
print(seconds, sum(ord(character) * (number + 1) for number, character in enumerate(results.pop())))
