"""wevtutil.exe qe: events of the Application log as XML."""

import re
from xml.sax.saxutils import escape

from extensions.head_nodes.machine import Event
from extensions.head_nodes.programs.base import Call, Output

_QUERY = re.compile(
    r"\*\[System\[Provider\[(?P<names>@Name='[^']*'(?: or @Name='[^']*')*)\]"
    r"(?: and TimeCreated\[timediff\(@SystemTime\) <= (?P<age>\d+)\])?\]\]"
)


def main(call: Call) -> Output:
    """``wevtutil qe Application /q:XPATH /f:xml [/rd:true] [/c:N]``; no root element, an event on each line."""
    arguments = call.arguments
    if len(arguments) < 2 or arguments[0].lower() != "qe" or arguments[1].lower() != "application":
        return call.refuse("only qe Application is modelled")
    options: dict[str, str] = {}
    for argument in arguments[2:]:
        name, colon, value = argument.partition(":")
        if not colon or name.lower() not in ("/q", "/f", "/rd", "/c"):
            return call.refuse(f"option {argument}")
        options[name.lower()] = value
    if options.get("/f", "xml").lower() != "xml":
        return call.refuse("only /f:xml is modelled")
    if options.get("/rd", "false").lower() not in ("true", "false") or not options.get("/c", "1").isdigit():
        return call.err(call.say("wevtutil.query"), 87)
    found = _QUERY.fullmatch(options.get("/q", ""))
    if not found:
        return call.refuse("this query is not modelled")
    names = set(re.findall(r"@Name='([^']*)'", found["names"]))
    age = float(found["age"] or "inf")
    now = call.machine.now()
    events = [e for e in call.machine.events if e.source in names and (now - e.time).total_seconds() * 1000 <= age]
    events.sort(key=lambda event: event.record, reverse=options.get("/rd", "false").lower() == "true")
    if "/c" in options:
        events = events[: int(options["/c"])]
    return call.out("".join(_xml(call, event) + "\n" for event in events))


def _xml(call: Call, event: Event) -> str:
    data = "".join(f"<Data>{escape(item)}</Data>" for item in event.data)
    when = f"{event.time:%Y-%m-%dT%H:%M:%S}.{event.time.microsecond:06d}000Z"
    severity = {2: 49152, 3: 32768, 4: 16384}[event.level]
    return (
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>"
        f"<Provider Name='{event.source}'/><EventID Qualifiers='{severity}'>{event.id}</EventID>"
        f"<Level>{event.level}</Level><Task>0</Task><Keywords>0x80000000000000</Keywords>"
        f"<TimeCreated SystemTime='{when}'/><EventRecordID>{event.record}</EventRecordID>"
        f"<Channel>Application</Channel><Computer>{escape(call.machine.name)}</Computer><Security/></System>"
        f"<EventData>{data}</EventData></Event>"
    )
