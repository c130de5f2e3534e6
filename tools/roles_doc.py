"""Writes the table of variables in each role's README from its argument_specs: ``make docs``."""

import re
from pathlib import Path
from typing import Any

import yaml

ROLES = Path(__file__).resolve().parent.parent / "roles"
BEGIN = "<!-- Written by `make docs` from meta/argument_specs.yml. -->"
END = "<!-- End of what `make docs` writes. -->"
_MARKUP = re.compile(r"[CVO]\(([^)]*)\)")


def specs(role: Path) -> dict[str, dict[str, Any]]:
    """The entry points of a role by name, as its argument_specs have them."""
    found: dict[str, dict[str, Any]] = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())
    return found["argument_specs"]


def render(role: Path) -> str:
    """A role's README as it should be.

    Raises ValueError when the README has no place for the table.
    """
    before, begin, rest = (role / "README.md").read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{role / 'README.md'} lacks the line {BEGIN if not begin else END}")
    rows = ["| variable | type | default | meaning |", "|---|---|---|---|"]
    rows += [_row(name, option) for name, option in specs(role)["main"]["options"].items()]
    return "\n".join((before.rstrip("\n"), "", BEGIN, *rows, END)) + after


def _row(name: str, option: dict[str, Any]) -> str:
    kind = f"list of {option['elements']}" if option["type"] == "list" else option["type"]
    if "choices" in option:
        kind = ", ".join(f"`{choice}`" for choice in option["choices"])
    default = yaml.safe_dump(option["default"], default_flow_style=True).split("\n")[0] if "default" in option else ""
    words = option["description"]
    meaning = _MARKUP.sub(r"`\1`", " ".join(words) if isinstance(words, list) else words)
    return f"| `{name}` | {kind} | {f'`{default}`' if default else ''} | {meaning} |"


def pages() -> dict[Path, str]:
    """The README of each role, and what it should be."""
    roles = sorted(path.parent.parent for path in ROLES.glob("*/meta/argument_specs.yml"))
    return {role / "README.md": render(role) for role in roles}


if __name__ == "__main__":
    for page, text in pages().items():
        page.write_text(text)
        print(f"{page.relative_to(ROLES.parent)}: written")
