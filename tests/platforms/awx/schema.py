"""What AWX's API takes, read out of the installed clients: prints JSON. Run with the Python that has awxkit.

Usage: python schema.py FOLDER_WITH_AWX_AWX

``resources``: name to path, as awxkit knows the API. ``fields``: collection of objects to the fields that a request may
have: the arguments of the module of awx.awx for it, and what awxkit's page for it sends. ``notifications``: type to the
fields of its configuration, ``inputs``: the fields of AWX's own credential types, as awxkit sends them.
"""

import ast
import importlib
import inspect
import json
import sys
import textwrap
from typing import Any

# Not imported by name: the Python that checks types does not have it.
PAGES: Any = importlib.import_module("awxkit.api.pages")
CREDENTIALS: Any = importlib.import_module("awxkit.api.pages.credentials")
RESOURCES: Any = importlib.import_module("awxkit.api.resources").Resources

# One for each kind of object; the module is called like awxkit's resource.
MODULES = (
    "credential",
    "credential_type",
    "execution_environment",
    "group",
    "host",
    "inventory",
    "inventory_source",
    "job_template",
    "notification_template",
    "project",
    "schedule",
    "workflow_job_template",
    "workflow_job_template_node",
)


class _Seen(Exception):
    """Ends a module when it has told its arguments."""


def arguments(name: str) -> dict[str, Any]:
    """The argument specification of a module of awx.awx."""
    module: Any = importlib.import_module(f"ansible_collections.awx.awx.plugins.modules.{name}")

    def capture(argument_spec: dict[str, Any], **_rest: Any) -> None:
        raise _Seen(argument_spec)

    module.ControllerAPIModule = capture
    try:
        module.main()
    except _Seen as seen:
        told: dict[str, Any] = seen.args[0]
        return told
    raise SystemExit(f"{name} told no arguments")


def _strings(node: ast.AST) -> list[str]:
    return [each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)]


def _source(function: Any) -> ast.AST:
    return ast.parse(textwrap.dedent(inspect.getsource(function)))


def payload(page: Any) -> set[str]:
    """The fields that awxkit's page sends: keywords and attributes of its payload, and its lists of optional ones."""
    found: set[str] = set()
    if not hasattr(page, "payload"):  # that of schedules is made elsewhere
        return found
    for node in ast.walk(_source(page.payload)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("PseudoNamespace", "payload.update"):
            found.update(keyword.arg for keyword in node.keywords if keyword.arg)
        elif isinstance(node, ast.Assign):
            target = node.targets[0]
            if isinstance(target, ast.Name) and target.id == "optional_fields":
                found.update(_strings(node.value))
            elif isinstance(target, ast.Attribute) and ast.unparse(target.value) == "payload":
                found.add(target.attr)
            elif isinstance(target, ast.Subscript) and ast.unparse(target.value) == "payload":
                found.update(_strings(target.slice))
    return found


def notifications() -> dict[str, list[str]]:
    """Type of notification to the fields of its configuration."""
    found = {}
    for node in ast.walk(_source(PAGES.NotificationTemplate.payload)):
        if isinstance(node, ast.If) and ast.unparse(node.test).startswith("notification_type =="):
            kind = _strings(node.test)[0]
            found[kind] = [
                name
                for each in node.body
                if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "fields"
                for name in _strings(each.value)
            ]
    return found


def main() -> None:
    """Print the schema."""
    sys.path.insert(0, sys.argv[1])
    resources = {
        name[1:]: pattern
        for name, pattern in vars(RESOURCES).items()
        if name.startswith("_") and not name.startswith("__") and isinstance(pattern, str)
    }
    fields: dict[str, dict[str, Any]] = {}
    for name in MODULES:
        page = getattr(PAGES, "".join(word.capitalize() for word in name.split("_")))
        collection = resources[name].removesuffix(r"\d+/").rstrip("/")
        spec = arguments(name)
        fields[collection] = {field: {} for field in sorted(payload(page))} | {
            field: {"type": told.get("type", "str"), "choices": told.get("choices")} for field, told in spec.items()
        }
    print(
        json.dumps(
            {
                "resources": resources,
                "fields": fields,
                "notifications": notifications(),
                "inputs": list(CREDENTIALS.credential_input_fields),
            }
        )
    )


if __name__ == "__main__":
    main()
