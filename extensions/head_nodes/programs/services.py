"""sc.exe and net.exe: state, start type, start and stop of services."""

from extensions.head_nodes.machine import AUTO, DEMAND, DISABLED, RUNNING, SERVICES, STOPPED, Service
from extensions.head_nodes.programs.base import Call, Output

_STATES = {1: "STOPPED", 2: "START_PENDING", 3: "STOP_PENDING", 4: "RUNNING"}
_STARTS = {"auto": AUTO, "demand": DEMAND, "disabled": DISABLED}


def sc(call: Call) -> Output:
    """``sc query|queryex NAME`` and ``sc config NAME start= TYPE``; the exit code is the Windows error code."""
    arguments = call.arguments
    verb = arguments[0].lower() if arguments else ""
    if verb in ("query", "queryex") and len(arguments) == 2:
        service = call.machine.service(arguments[1])
        if service is None:
            return _failed(call, "EnumQueryServicesStatus:OpenService", 1060)
        return call.out(_status(call, service, verb == "queryex"))
    if verb == "config" and len(arguments) == 4 and arguments[2].lower() == "start=":
        return _config(call, arguments[1], arguments[3].lower())
    return call.refuse("only query, queryex and config start= of one service are modelled")


def _failed(call: Call, what: str, code: int) -> Output:
    text = call.say("sc.failed", call=what, code=code, text=call.say(f"system.{code}"))
    return call.out(text, code)


def _status(call: Call, service: Service, extended: bool) -> str:
    labels = call.say("sc.labels").split("|")
    head, type_, state, win32, specific, checkpoint, hint, pid, flags = labels
    kind = "10  WIN32_OWN_PROCESS " if service.own_process else "20  WIN32_SHARE_PROCESS "
    accepted = "(STOPPABLE, NOT_PAUSABLE, ACCEPTS_SHUTDOWN)"
    if service.state != RUNNING:
        accepted = "(NOT_STOPPABLE, NOT_PAUSABLE, IGNORES_SHUTDOWN)"
    lines = [f"\n{head}: {service.name} ", f"        {type_:<19}: {kind} "]
    lines.append(f"        {state:<19}: {service.state}  {_STATES[service.state]} ")
    if service.state != STOPPED or call.machine.number < 7600:
        lines.append(f"                                {accepted}")
    lines += [
        f"        {win32:<19}: 0  (0x0)",
        f"        {specific:<19}: 0  (0x0)",
        f"        {checkpoint:<19}: 0x0",
        f"        {hint:<19}: 0x0",
    ]
    if extended:
        lines += [f"        {pid:<19}: {service.pid}", f"        {flags:<19}: "]
    return "\n".join(lines) + "\n"


def _config(call: Call, name: str, start: str) -> Output:
    if start not in _STARTS:
        return call.refuse(f"start= {start}")
    if call.denied():
        return _failed(call, "OpenService", 5)
    service = call.machine.service(name)
    if service is None:
        return _failed(call, "OpenService", 1060)
    call.machine.registry.set(f"{SERVICES}\\{service.name}", "Start", "REG_DWORD", _STARTS[start])
    call.machine.wrote(f"service {service.name} start {start}")
    return call.out(call.say("sc.configured"))


def net(call: Call) -> Output:
    """``net start|stop NAME``: 0, or 2 with a sentence on standard error."""
    arguments = call.arguments
    verb = arguments[0].lower() if arguments else ""
    if verb not in ("start", "stop") or len(arguments) != 2:
        return call.refuse("only start and stop of one service are modelled")
    machine = call.machine
    service = machine.service(arguments[1])
    if service is None:
        return call.err(call.say("net.unknown"), 2)
    if call.denied():
        return call.err(call.say("net.system", code=5, text=call.say("system.5")), 2)
    display = machine.display(service)
    if verb == "stop":
        if service.state != RUNNING:
            return call.err(call.say("net.unstarted", display=display), 2)
        machine.stop(service.name)
        machine.wrote(f"service {service.name} stop")
        return call.out(call.say("net.stopping", display=display) + call.say("net.stopped", display=display))
    if service.state != STOPPED:
        return call.err(call.say("net.already"), 2)
    if machine.start_type(service.name) == DISABLED:
        return call.err(call.say("net.system", code=1058, text=call.say("system.1058")), 2)
    if machine.start_error and service.name == "WDSServer":
        text = call.say(f"system.{machine.start_error}")
        return call.err(call.say("net.system", code=machine.start_error, text=text), 2)
    machine.wrote(f"service {service.name} start")
    machine.start(service.name)
    return call.out(call.say("net.starting", display=display) + call.say("net.started", display=display))
