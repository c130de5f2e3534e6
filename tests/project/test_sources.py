"""What code and pages refer to is there: sections of docs/, other pages, headings in them."""

import re
from pathlib import Path

from tests.project.tree import ROOT, files

TEXTS = {
    file: (ROOT / file).read_text(errors="replace")
    for file in files()
    if file.suffix in (".md", ".py", ".yml") and file != Path("tests/project/test_sources.py")
}
# "facts/fog.md sections 0.1, 2 and 4", "design section 3"
NUMBER = r"[0-9]{1,2}(?:\.[0-9]+)?\b"
CITED = re.compile(rf"(facts/[a-z]+\.md|[Dd]esign),?\s+sections?\s+({NUMBER}(?:(?:,| and| to)\s+{NUMBER})*)")
# The tracker of one team says nothing to others; the issues of other projects are named with the project.
OWN_ISSUE = re.compile(r"issue [0-9]+, section")
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def sections(page: Path) -> set[str]:
    return set(re.findall(r"^## ([0-9]+)\.", page.read_text(), re.MULTILINE))


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as forges make them."""
    kept = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(text)]
    return {heading.strip().replace(" ", "-") for heading in kept}


def test_every_section_that_is_named_as_a_source_exists() -> None:
    cited = {
        (page.lower().removesuffix(".md"), number.split(".")[0])
        for text in TEXTS.values()
        for page, numbers in CITED.findall(text)
        for number in re.findall(NUMBER, numbers)
    }
    assert {page for page, _ in cited} == {"design", "facts/fog", "facts/windows"}
    there = {page: sections(ROOT / "docs" / f"{page}.md") for page, _ in cited}
    assert not {f"{page}.md section {number}" for page, number in cited if number not in there[page]}


def test_no_source_is_an_issue_of_this_project() -> None:
    assert not {str(file) for file, text in TEXTS.items() if OWN_ISSUE.search(text)}


def test_every_link_between_pages_leads_somewhere() -> None:
    broken = []
    for file, text in TEXTS.items():
        for target in LINK.findall(text) if file.suffix == ".md" and file.name != "CHANGELOG.md" else ():
            path, _, anchor = target.partition("#")
            if "://" in path:
                continue
            page = (ROOT / file.parent / path).resolve() if path else ROOT / file
            if not page.exists() or (anchor and anchor not in anchors(page.read_text())):
                broken.append(f"{file}: {target}")
    assert not broken
