"""Programs that read and write texts."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import wasmcore

MAPPINGS = b"AAAA,SAASA,GACRC;AAEA,gBAAIA;;IAFJ,EAEI,A;4xvqB"
"""Source map revision 3, section "mappings": base 64 VLQ."""
DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
GO = ("package main\nimport(\"fmt\";\"os\")\n", "package main\n\nimport (\n\t\"fmt\"\n\t\"os\"\n)\n")
GO_FUNCTION = (
    "\nfunc f{0}(x int,s ...string)int{{\nif x>{0}{{fmt.Println( x,os.Args,s[ 0: 1 ] )}}\nreturn x*{0}+ 1}}\n",
    "\nfunc f{0}(x int, s ...string) int {{\n\tif x > {0} {{\n\t\tfmt.Println(x, os.Args, s[0:1])\n\t}}\n\treturn x*{0} + 1\n}}\n",
)
SHELL = (
    "if true;then echo  hi;fi\nfor i in 1 2;do\necho $i|cat;done\n",
    "if true; then echo hi; fi\nfor i in 1 2; do\n\techo $i | cat\ndone\n",
)
ZIG = (
    "fn f{0}(a:u32)u32{{var i:u32=0;while(i<a):(i+=1){{if(i=={0})break;}}return a+{0};}}\n",
    "fn f{0}(a: u32) u32 {{\n    var i: u32 = 0;\n"
    "    while (i < a) : (i += 1) {{\n        if (i == {0}) break;\n    }}\n    return a + {0};\n}}\n",
)
SMT = """(set-logic QF_BV) (set-option :produce-models true) (declare-fun x () (_ BitVec 32))
(assert (= (bvmul x x) #x00000031)) (assert (bvult x #x00000010)) (check-sat) (get-value (x))
(assert (= (bvurem x #x00000002) #x00000000)) (check-sat) (exit)"""

GO_OUTPUT = b"""and 58a343b02df7cb6960c4618dff792601e6053675c942644fe97c41bfae983a5e
recovered: runtime error: index out of range [6] with length 0
1
"""
"""What the same program prints that is compiled for Linux."""


def go(module: wasmcore.Module) -> None:
    """Words that are counted, a digest, a panic that is recovered from, a goroutine."""
    with tempfile.TemporaryFile() as out:
        try:
            wasmcore.Instance(module, host_options={"wasi": {"args": ["go"], "stdout": out}}).exports["_start"]()
        except wasmcore.Exit as ended:
            assert ended.code == 0
        out.seek(0)
        assert out.read() == GO_OUTPUT


def numbers(segment: str) -> list[int]:
    """A segment of a source map."""
    found, value, shift = [], 0, 0
    for digit in map(DIGITS.index, segment):
        value |= (digit & 31) << shift
        shift += 5
        if not digit & 32:
            found.append(-(value >> 1) if value & 1 else value >> 1)
            value = shift = 0
    return found


def source_map(module: wasmcore.Module) -> None:
    """Where generated code comes from, in the order of the generated code."""
    rows: list[tuple[int, ...]] = []
    instance = wasmcore.Instance(module, {"env": {"mapping_callback": lambda *row: rows.append(row)}})
    exports: Any = instance.exports
    text = exports.allocate_mappings(len(MAPPINGS))
    exports.memory.write(text, MAPPINGS)
    parsed = exports.parse_mappings(text)
    assert parsed and exports.get_last_error() == 0
    exports.by_generated_location(parsed)
    expected = []
    source = line = column = name = 0
    for generated, segments in enumerate(MAPPINGS.decode().split(";")):
        at = 0
        for found in [numbers(segment) for segment in segments.split(",") if segment]:
            at += found[0]
            if len(found) > 1:
                source, line, column = source + found[1], line + found[2], column + found[3]
            if len(found) > 4:
                name += found[4]
            original = (1, source, line, column) if len(found) > 1 else (0, 0, 0, 0)
            expected.append((generated, at, *original, *((1, name) if len(found) > 4 else (0, 0))))
    assert [(*row[:2], *row[4:]) for row in rows] == expected


def graphviz(module: wasmcore.Module) -> None:
    """A drawing of a graph, with all its nodes and edges."""
    with tempfile.TemporaryFile() as file:
        exports: Any = wasmcore.Instance(module, host_options={"wasi": {"stdout": file, "stderr": file}}).exports

        def put(text: str) -> int:
            at = exports.malloc(len(text) + 1)
            exports.memory.write(at, text.encode() + b"\0")
            return int(at)

        size = exports.malloc(4)
        drawn = exports.graphviz_render(put("digraph { a -> b; b -> c; c -> a; a -> d }"), put("plain"), put("dot"), size)
        assert drawn
        text = exports.memory.read(drawn, int.from_bytes(exports.memory.read(size, 4), "little")).decode()
    rows = [line.split() for line in text.splitlines()]
    assert {row[1] for row in rows if row[0] == "node"} == {"a", "b", "c", "d"}
    assert {(row[1], row[2]) for row in rows if row[0] == "edge"} == {("a", "b"), ("b", "c"), ("c", "a"), ("a", "d")}
    heights = {row[1]: float(row[3]) for row in rows if row[0] == "node"}
    assert heights["a"] > heights["b"] > heights["c"] and heights["a"] > heights["d"]


def gofmt(module: wasmcore.Module) -> None:
    """Functions of Go as they should stand, and again, which changes nothing."""
    before, after = ("".join((head, *(function.format(number) for number in range(40)))) for head, function in zip(GO, GO_FUNCTION))
    exports: Any = wasmcore.Instance(module).exports
    exports["_initialize"]()
    assert _formatted(exports, before) == (1, after)
    assert _formatted(exports, after)[0] == 0


def shfmt(module: wasmcore.Module) -> None:
    """A shell script as it should stand."""
    exports: Any = wasmcore.Instance(module).exports
    exports["_initialize"]()
    assert _formatted(exports, SHELL[0]) == (1, SHELL[1])
    assert _formatted(exports, SHELL[1])[0] == 0


def _formatted(exports: Any, text: str) -> tuple[int, str]:
    data = text.encode()
    exports.memory.write(exports.alloc(len(data)), data)
    result = exports.format()
    formatted = exports.memory.read(exports.output_ptr(), exports.output_len()).decode() if result else text
    exports.dispose()
    return result, formatted


def zig_fmt(module: wasmcore.Module) -> None:
    """Functions of Zig as they should stand."""
    before, after = ("\n".join(each.format(number) for number in range(40)) for each in ZIG)
    exports: Any = wasmcore.Instance(module).exports
    data = before.encode()
    at = exports.alloc(len(data))
    exports.memory.write(at, data)
    assert exports.memory.read(*exports.format(at, len(data))).decode() == after
    exports.free_all()


def boolector(module: wasmcore.Module) -> None:
    """The number below 16 whose square is 49, and that it is not even."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as out:
        Path(folder, "in.smt2").write_text(SMT)
        wasi = {"args": ["boolector", "-i", "/in.smt2"], "dirs": {"/": folder}, "stdout": out}
        try:
            wasmcore.Instance(module, host_options={"wasi": wasi}).exports["_start"]()
        except wasmcore.Exit as ended:
            assert ended.code in (0, 10, 20)
        out.seek(0)
        assert out.read().decode().split() == ["sat", "((x", "#b00000000000000000000000000000111))", "unsat"]
