"""netstat.exe, shutdown.exe, wmic.exe, where.exe and chcp.com."""

from extensions.head_nodes.builds import codec
from extensions.head_nodes.programs.base import Call, Output


def netstat(call: Call) -> Output:
    """``netstat -ano -p UDP``."""
    if [argument.lower() for argument in call.arguments] != ["-ano", "-p", "udp"]:
        return call.refuse("only -ano -p UDP is modelled")
    lines = [call.say("netstat.head")]
    for socket in sorted(call.machine.sockets, key=lambda socket: (socket.address, socket.port)):
        local = f"{socket.address}:{socket.port}"
        lines.append(f"  UDP    {local:<22} *:*                                    {socket.pid}\n")
    return call.out("".join(lines))


def shutdown(call: Call) -> Output:
    """``shutdown /r /t SECONDS [/f] [/d REASON] [/c COMMENT]``."""
    restart, seconds = False, 30.0
    options = list(call.arguments)
    while options:
        option = options.pop(0).lower()
        if option == "/r":
            restart = True
        elif option in ("/t", "/d", "/c") and options:
            value = options.pop(0)
            if option == "/t":
                if not value.isdigit():
                    return call.refuse(f"/t {value}")
                seconds = float(value)
        elif option != "/f":
            return call.refuse(f"option {option}")
    if not restart:
        return call.refuse("only /r is modelled")
    if call.denied():
        return call.err(call.say("system.5") + "(5)\n", 5)
    if call.machine.shutdown_scheduled:
        return call.err(call.say("shutdown.scheduled"), 1190)
    call.machine.shutdown(seconds)
    return call.out("")


def wmic(call: Call) -> Output:
    """``wmic os get LastBootUpTime /value``: its lines end with CR CR LF."""
    if [argument.lower() for argument in call.arguments] != ["os", "get", "lastbootuptime", "/value"]:
        return call.refuse("only os get LastBootUpTime /value is modelled")
    text = f"\r\r\n\r\r\nLastBootUpTime={call.machine.boot_identity}\r\r\n\r\r\n\r\r\n\r\r\n"
    return Output(text.encode("ascii"), b"", 0)


def where(call: Call) -> Output:
    """``where [/Q] NAME``: 0 and the program's path, or 1; with /Q the code alone."""
    from extensions.head_nodes.programs import find

    names = [argument for argument in call.arguments if argument.lower() != "/q"]
    quiet = len(names) < len(call.arguments)
    if len(names) != 1 or names[0].startswith(("/", "$")):
        return call.refuse("only one name is modelled")
    found = find(call.machine, names[0])
    if found is None:
        return Output(b"", b"", 1) if quiet else call.err(call.say("where.missing"), 1)
    folder = "WindowsPowerShell\\v1.0\\" if found == "powershell.exe" else ""
    return call.out("" if quiet else f"C:\\Windows\\System32\\{folder}{found}\n")


def chcp(call: Call) -> Output:
    """``chcp`` shows the codepage, ``chcp NUMBER`` sets that of the console."""
    if call.arguments:
        try:
            number = int(call.arguments[0])
            codec(number)
        except (ValueError, LookupError):
            return call.refuse("this codepage is not modelled")
        call.console.codepage = number
    return call.out(call.say("chcp", codepage=call.console.codepage))
