"""servermanagercmd.exe of Server 2008 and 2008 R2: roles and features."""

from extensions.head_nodes.machine import FEATURES
from extensions.head_nodes.programs.base import Call, Output


def main(call: Call) -> Output:
    """``servermanagercmd -remove|-install FEATURE``; exit codes of facts/windows.md section 6."""
    arguments = call.arguments
    verb = arguments[0].lower() if arguments else ""
    if verb not in ("-remove", "-install"):
        return call.refuse("only -remove and -install are modelled")
    names = {name.lower(): name for name in FEATURES}
    if len(arguments) != 2 or arguments[1].lower() not in names:
        feature, code = " ".join(arguments[1:]), 4
    elif call.denied():
        feature, code = arguments[1], 5
    else:
        feature = names[arguments[1].lower()]
        code = call.machine.remove_feature(feature) if verb == "-remove" else call.machine.install_feature(feature)
    result = "Success" if code in (0, 3010, 1003) else "Error"
    return call.out(call.say("servermanagercmd.text", result=result, feature=feature, code=code), code)
