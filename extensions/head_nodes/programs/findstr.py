"""findstr.exe: literal strings in files or in what is piped in. It copies bytes as they are."""

from extensions.head_nodes.builds import codec
from extensions.head_nodes.filesystem import File
from extensions.head_nodes.programs.base import Call, Output

# A first search string with one of these makes findstr take all of them for regular expressions.
_META = set(".*^$[\\")


def main(call: Call) -> Output:
    """``findstr [/n] [/i] [/l] [/m] /c:STRING... [FILE...]``: 0 something found, 1 nothing."""
    patterns: list[str] = []
    files: list[str] = []
    numbers = fold = literal = names_only = False
    for argument in call.arguments:
        lower = argument.lower()
        if lower.startswith("/c:"):
            patterns.append(argument[3:])
        elif lower in ("/n", "/i", "/l", "/m"):
            numbers, fold = numbers or lower == "/n", fold or lower == "/i"
            literal, names_only = literal or lower == "/l", names_only or lower == "/m"
        elif argument.startswith("/"):
            return call.refuse(f"option {argument}")
        elif "*" in argument or "?" in argument:
            return call.refuse("wild cards")
        else:
            files.append(argument)
    if not patterns or any(not pattern for pattern in patterns):
        return call.refuse("only strings of /c: are modelled")
    if not literal and _META & set(patterns[0]):
        return call.refuse("regular expressions")
    encoding = call.machine.locale.ansi if call.console.codepage != 65001 else codec(65001)
    needles = [(pattern.lower() if fold else pattern).encode(encoding, "replace") for pattern in patterns]
    out: list[bytes] = []
    error: list[bytes] = []
    sources: list[tuple[bytes, bytes]] = []
    for path in files:
        node = call.machine.files.get(path)
        if isinstance(node, File):
            sources.append((call.encode(path), node.read()))
        elif path.upper() == "NUL":
            sources.append((b"NUL", b""))
        else:
            error.append(call.encode(f"FINDSTR: {path}\n"))
    if not files:
        sources.append((b"", call.stdin or b""))
    for name, content in sources:
        found = _search(content, needles, fold)
        if names_only:
            out += [name + b"\r\n"] if found else []
            continue
        for number, line in found:
            head = name + b":" if len(files) > 1 else b""
            out.append(head + (b"%d:" % number if numbers else b"") + line.rstrip(b"\r") + b"\r\n")
    return Output(b"".join(out), b"".join(error), 0 if out else 1)


def _search(content: bytes, needles: list[bytes], fold: bool) -> list[tuple[int, bytes]]:
    """Number and text of each line that holds a needle. Large files: lines without a hit are never split off."""
    text = content.lower() if fold else content
    hits: dict[int, tuple[int, int]] = {}
    for needle in needles:
        at = text.find(needle)
        while at >= 0:
            start = text.rfind(b"\n", 0, at) + 1
            end = text.find(b"\n", at)
            end = len(text) if end < 0 else end
            hits[start] = (start, end)
            at = text.find(needle, end)
    found, number, counted = [], 1, 0
    for start, end in (hits[key] for key in sorted(hits)):
        number += content.count(b"\n", counted, start)
        counted = start
        found.append((number, content[start:end]))
    return found
