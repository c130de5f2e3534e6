"""wdsutil.exe: namespaces and the transport server. Its texts are synthetic; the registry tells what it did."""

from extensions.head_nodes.machine import (
    AUTOCAST,
    DISABLED,
    PARAMETERS,
    SCHEDULED_MANUAL,
    SERVER_UNAVAILABLE,
    Live,
    NamespaceError,
)
from extensions.head_nodes.programs.base import Call, Output, hexadecimal

_VERBS = {
    "/new-namespace": {"friendlyname", "description", "namespace", "contentprovider", "configstring", "namespacetype"},
    "/remove-namespace": {"namespace", "force"},
    "/get-namespace": {"namespace", "show", "details"},
    "/get-allnamespaces": {"contentprovider", "excludedeletepending", "show", "details", "server"},
    "/get-transportserver": {"show", "server"},
    "/start-transportserver": {"server"},
    "/stop-transportserver": {"server"},
    "/enable-transportserver": {"server"},
}
_INVALID = 0x80070057


def main(call: Call) -> Output:
    """The verbs of facts/windows.md section 3."""
    verb = call.arguments[0].lower() if call.arguments else ""
    if verb not in _VERBS:
        return call.refuse("this verb is not modelled")
    options: dict[str, str] = {}
    for argument in call.arguments[1:]:
        name, _colon, value = argument.partition(":")
        name = name.lower().lstrip("/")
        if not argument.startswith("/") or name not in _VERBS[verb]:
            return call.refuse(f"option {argument}")
        options[name] = value
    if options.get("server", "localhost").lower() not in ("localhost", call.machine.name.lower()):
        return call.refuse("another server")
    for name in ("show", "details"):
        if name in options and verb != "/get-transportserver" and name != call.machine.build.clients.lower():
            return _error(call, _INVALID)
    writes = verb.startswith(("/new", "/remove", "/start", "/stop", "/enable"))
    if writes and call.denied():
        return _error(call, 0x80070005)
    try:
        return {
            "/new-namespace": _new,
            "/remove-namespace": _remove,
            "/get-namespace": _get,
            "/get-allnamespaces": _list,
            "/get-transportserver": _transport,
            "/start-transportserver": _start,
            "/stop-transportserver": _stop,
            "/enable-transportserver": _enable,
        }[verb](call, options)
    except NamespaceError as error:
        return _error(call, error.hresult)


def _banner(call: Call) -> str:
    return call.say("wdsutil.copyright", release=call.machine.build.release)


def _done(call: Call, text: str = "") -> Output:
    return call.out(_banner(call) + text + call.say("wdsutil.done"))


def _error(call: Call, hresult: int) -> Output:
    code = hexadecimal(hresult)
    description = call.say("wdsutil.description", code=code)
    return call.out(_banner(call) + call.say("wdsutil.error", code=code, text=description), hresult - 2**32)


def _new(call: Call, options: dict[str, str]) -> Output:
    if not {"friendlyname", "namespace", "contentprovider", "namespacetype"} <= set(options):
        return _error(call, _INVALID)
    types = {"autocast": AUTOCAST, "scheduledcast": SCHEDULED_MANUAL}
    type_ = types.get(options["namespacetype"].lower())
    if type_ is None:
        return _error(call, _INVALID)
    call.machine.new_namespace(
        Live(
            options["namespace"],
            options["contentprovider"],
            options.get("configstring", ""),
            options["friendlyname"],
            options.get("description", ""),
            type_,
        )
    )
    return _done(call)


def _remove(call: Call, options: dict[str, str]) -> Output:
    if "namespace" not in options:
        return _error(call, _INVALID)
    call.machine.remove_namespace(options["namespace"], "force" in options)
    return _done(call)


def _show(call: Call, live: Live, clients: bool) -> str:
    text = call.say(
        "wdsutil.namespace",
        name=live.name,
        friendly=live.friendly_name,
        description=live.description,
        provider=live.content_provider,
        configuration=live.configuration,
        type=live.type,
        status="Delete Pending" if live.tombstoned else "Registered",
    )
    return text + "".join(call.say("wdsutil.client", client=client) for client in live.clients if clients)


def _get(call: Call, options: dict[str, str]) -> Output:
    _need_running(call)
    live = call.machine.live.get(options.get("namespace", "").lower())
    if live is None:
        raise NamespaceError(0xC1210105)
    return _done(call, _show(call, live, "show" in options or "details" in options))


def _list(call: Call, options: dict[str, str]) -> Output:
    _need_running(call)
    provider = options.get("contentprovider", "").lower()
    shown = [
        live
        for live in call.machine.live.values()
        if live.content_provider.lower() == (provider or live.content_provider.lower())
        and not (live.tombstoned and "excludedeletepending" in options)
    ]
    return _done(call, "".join(_show(call, live, "show" in options or "details" in options) for live in shown))


def _transport(call: Call, options: dict[str, str]) -> Output:
    if options.get("show", "").lower() != "config":
        return call.refuse("only /Show:Config")
    registry = call.machine.registry
    start = registry.value(PARAMETERS, "McStartAddr")
    end = registry.value(PARAMETERS, "McEndAddr")
    return _done(call, call.say("wdsutil.transport", name=call.machine.name, start=start, end=end))


def _start(call: Call, options: dict[str, str]) -> Output:
    machine = call.machine
    if machine.start_type("WDSServer") == DISABLED:
        return _error(call, 0x80070422)
    if not machine.running("WDSServer"):
        machine.wrote("service WDSServer start")
        machine.start("WDSServer")
    return _done(call)


def _stop(call: Call, options: dict[str, str]) -> Output:
    if call.machine.running("WDSServer"):
        call.machine.stop("WDSServer")
        call.machine.wrote("service WDSServer stop")
    return _done(call)


def _enable(call: Call, options: dict[str, str]) -> Output:
    call.machine.reg_set("HKLM\\SYSTEM\\CurrentControlSet\\Services\\WDSServer", "Start", "REG_DWORD", 2)
    return _done(call)


def _need_running(call: Call) -> None:
    if not call.machine.running("WDSServer"):
        raise NamespaceError(SERVER_UNAVAILABLE)
