"""cmd.exe and powershell.exe as programs of their own."""

import base64
import binascii
import re

from extensions.head_nodes.programs.base import Call, Output

_LEADING = ("-noprofile", "-noninteractive", "-nologo")


def cmd(call: Call) -> Output:
    """``cmd [/v:on] [/d] [/s] /c COMMAND``."""
    from extensions.head_nodes import cmd as interpreter

    found = re.fullmatch(r"(?P<options>(?:\s*/(?:v:on|v:off|d|s|q))*)\s*/c\s*(?P<line>.*)", call.tail, re.I | re.S)
    if not found:
        return call.refuse("only /c is modelled")
    options = found["options"].lower().split("/")
    delayed = "v:on" in [option.strip() for option in options]
    line = interpreter.strip_quotes(found["line"], "s" in [option.strip() for option in options])
    return Output(*interpreter.run(call.machine, line, call.console, call.user, delayed=delayed, stdin=call.stdin))


def powershell(call: Call) -> Output:
    """``PowerShell [-NoProfile] [-NonInteractive] [-ExecutionPolicy X] -EncodedCommand BASE64``."""
    from extensions.head_nodes import powershell as interpreter

    script = None
    options = list(call.arguments)
    while options:
        option = options.pop(0).lower()
        if option in ("-executionpolicy", "-outputformat", "-inputformat") and options:
            options.pop(0)
        elif option in ("-encodedcommand", "-enc", "-e") and options:
            try:
                script = base64.b64decode(options.pop(0), validate=True).decode("utf-16-le")
            except (binascii.Error, UnicodeDecodeError):
                return call.err("The specified command is not properly encoded.\n", 1)
        elif option in ("-command", "-c"):
            script, options = " ".join(options), []
        elif option not in _LEADING:
            return call.refuse(f"option {option}")
    if script is None:
        return call.refuse("only -EncodedCommand and -Command are modelled")
    return Output(*interpreter.run(call.machine, script, call.console, call.user))
