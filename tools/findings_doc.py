"""Writes docs/findings.md, the page of every finding, from the catalogue in plugins/module_utils/_catalogue.py."""

import re
from pathlib import Path

from ansible_collections.imaging.multicast.plugins.module_utils._catalogue import CATALOGUE
from ansible_collections.imaging.multicast.plugins.module_utils._severity import SEVERITIES

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "findings.md"

HEAD = """\
# Findings

Everything the collection can find, worst first. `make docs` writes this page from the catalogue in the code.
**error** breaks multicast, **warning** will or may, **info** does not.
A repair with a gate is carried out only where that variable is true. That is the usual case; on a host `repairable` and
`gate` of the finding itself count.
"""
# Pages beside this one.
PAGES = re.compile(r"(?:facts/)?[a-z-]+\.md")


def render() -> str:
    """The page as Markdown."""
    parts = [HEAD]
    for severity in SEVERITIES:
        parts.append(f"\n## {severity}\n")
        for name, entry in CATALOGUE.items():
            if entry.severity != severity:
                continue
            by = "by the collection" if entry.repairable else "by a person"
            gate = f", when `{entry.gate}` is true" if entry.gate else ""
            source = PAGES.sub(lambda page: f"[{page[0]}]({page[0]})", entry.source)
            parts.append(
                f"\n### {name}\n\n{entry.meaning}\n\n"
                f"- **Cause:** {entry.cause}\n- **Repair** ({by}{gate}): {entry.repair}\n- **Source:** {source}\n"
            )
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)}: {len(CATALOGUE)} findings")
