"""What the guide shows is what happens: the examples of a page, in order, print what stands below them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(ROOT.glob("docs/guide/*.md"))
BLOCK = re.compile(r"^```(python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = "----- the end of an example -----"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_print_what_stands_below_them(page: Path, tmp_path: Path) -> None:
    examples: list[tuple[str, str]] = []
    for language, text in BLOCK.findall(page.read_text("utf-8")):
        if language == "python":
            examples.append((text, ""))
        else:
            examples[-1] = (examples[-1][0], text)
    for module in ROOT.glob("examples/*.wasm"):
        shutil.copy(module, tmp_path)
    program = "".join(f"{text}\nprint({MARK!r})\n" for text, _ in examples)
    environment = {**os.environ, "WASMCORE_CACHE": "0", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split(f"{MARK}\n")[:-1] == [expected for _, expected in examples]
