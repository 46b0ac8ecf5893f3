"""What mkdocs is told beside mkdocs.yml: pages that stand elsewhere in the repository, and links as they are in the site."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
ELSEWHERE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "benchmarks/README.md": "benchmarks.md",
    "examples/README.md": "examples.md",
    "plugins/llvm/README.md": "plugins/llvm.md",
    "plugins/midtier/README.md": "plugins/midtier.md",
    "plugins/singlepass/README.md": "plugins/singlepass.md",
    "plugins/wasi/README.md": "plugins/wasi.md",
    "plugins/x86_64/README.md": "plugins/x86_64.md",
}
"""Pages by where they stand in the repository."""
PICTURES = ("benchmarks/growth.png", "benchmarks/measured.png", "benchmarks/throughput.png")
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#:]+)(#[^)\s]*)?\)")


def on_files(files: Files, *, config: Any) -> Files:
    """Add what stands elsewhere."""
    for source, page in ELSEWHERE.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text("utf-8")))
    for picture in PICTURES:
        files.append(File.generated(config, picture, abs_src_path=str(ROOT / picture)))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Files) -> str:
    """Links lead to pages of the site; what is none, as a folder of sources, is only named."""
    here: str = page.file.src_uri
    origin = next((source for source, name in ELSEWHERE.items() if name == here), f"docs/{here}")

    def rewritten(found: re.Match[str]) -> str:
        mark, text, target, anchor = found.groups(default="")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(origin), target))
        if not (ROOT / path).exists():
            return found[0]  # mkdocs says that it leads nowhere
        for candidate in (path, f"{path}/README.md"):
            name = ELSEWHERE.get(candidate, candidate.removeprefix("docs/"))
            if files.get_file_from_path(name) is not None:
                return f"{mark}[{text}]({posixpath.relpath(name, posixpath.dirname(here) or '.')}{anchor})"
        return text

    return LINK.sub(rewritten, markdown)
