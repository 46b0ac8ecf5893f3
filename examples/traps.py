"""What goes wrong in WebAssembly is a Python exception: a trap with its kind, wrong arguments, a missing import."""

from pathlib import Path

import wasmcore

HERE = Path(__file__).parent

gcd = wasmcore.Instance(wasmcore.Module(HERE / "gcd.wasm")).exports.gcd
try:
    gcd("six", 27)
except TypeError as error:
    print("TypeError:", error)
try:
    gcd(2**40, 27)
except OverflowError as error:
    print("OverflowError:", error)

collatz = wasmcore.Module(HERE / "collatz.wasm")
try:
    wasmcore.Instance(collatz)
except wasmcore.LinkError as error:
    print("LinkError:", error)


def stop_at_ten(number: int) -> None:
    """An exception of a host function comes out of the call as itself."""
    if number == 10:
        raise StopIteration(number)


try:
    wasmcore.Instance(collatz, {"env": {"visit": stop_at_ten}}).exports.collatz(6)
except StopIteration as error:
    print("StopIteration:", error)


def divide_by_nothing() -> None:
    """A trap says where it happened."""
    divide = wasmcore.Instance(wasmcore.Module(HERE / "divide.wasm")).exports.divide
    print("7 / 2 is", divide(7, 2))
    divide(1, 0)


try:
    divide_by_nothing()
except wasmcore.Trap as trap:
    print("Trap:", trap.kind.name, trap)
