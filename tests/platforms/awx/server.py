"""A stand-in for the API of AWX: keeps what it is told, checks every request, and refuses what it does not model.

What a request may name comes from the installed clients (schema.py). How AWX answers is written after AWX 24: the
serializers and views of ``awx/api``, ``WorkflowJobTemplateNode``, ``notifications/webhook_backend.py``.
"""

import copy
import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import jinja2
import jinja2.meta

Object = dict[str, Any]

VERSION = "24.6.1"  # of awx.awx; another release makes its modules warn
_ROOT = "/api/v2/"
# AWX takes 25; with one the clients have to read on.
_PAGE = 1
_ENCRYPTED = "$encrypted$"
# Sent by the modules, and ignored by AWX because nobody can set them.
_READ_ONLY = {"type", "managed"}
# Fields that name an object of another kind than they are called after.
_OTHER_NAMES = {
    "default_environment": "execution_environments",
    "source_project": "projects",
    "scm_credential": "credentials",
    "webhook_credential": "credentials",
    "signature_validation_credential": "credentials",
}
# Fields that may be null, and what AWX makes of it.
_NULLABLE = {"host_filter": None, "kind": ""}
# What makes an object one of its kind, beside its name.
_WITHIN = {
    "credentials": ("organization", "credential_type"),
    "groups": ("inventory",),
    "hosts": ("inventory",),
    "inventory_sources": ("inventory",),
    "inventories": ("organization",),
    "schedules": ("unified_job_template",),
    "workflow_job_template_nodes": ("workflow_job_template",),
}
#: Kinds of objects that a workflow or a schedule can start.
UNIFIED = ("projects", "inventory_sources", "job_templates", "workflow_job_templates", "workflow_approval_templates")
# Arguments that are dictionaries in the modules and text in the API.
_AS_TEXT = {"extra_vars", "variables", "source_vars"}
_WEBHOOK = {"http_method": "POST", "disable_ssl_verification": False, "username": "", "password": ""}
_SURVEY_TYPES: Mapping[str, type] = {
    "text": str,
    "textarea": str,
    "password": str,
    "multiplechoice": str,
    "multiselect": str,
    "integer": int,
    "float": float,
}
_SURVEY_KEYS = {
    *("question_name", "question_description", "required", "type", "variable", "min", "max", "default", "choices"),
    "new_question",
}
# Those of AWX's inputs and injectors for custom types (models/credential, fields.py).
_INPUT_KEYS = {
    "id",
    "label",
    "help_text",
    "type",
    "format",
    "secret",
    "multiline",
    "ask_at_runtime",
    "choices",
    "default",
}
_ASSOCIATIONS: Mapping[str, Mapping[str, str]] = {
    "groups": {"hosts": "hosts", "children": "groups"},
    "job_templates": {"credentials": "credentials", "instance_groups": "instance_groups"},
    "workflow_job_templates": {},
    "workflow_job_template_nodes": dict.fromkeys(
        ("always_nodes", "success_nodes", "failure_nodes"), "workflow_job_template_nodes"
    ),
}
_NOTIFIED = {
    "job_templates": ("started", "success", "error"),
    "workflow_job_templates": ("started", "success", "error", "approvals"),
}


class Refusal(Exception):
    """The request is not one AWX would take, or not one this models; the text says why."""


class Request(NamedTuple):
    """A request as it came: method, path and query, body."""

    method: str
    path: str
    body: Any


class Reply(NamedTuple):
    """An answer."""

    status: int
    body: Any = None


class Awx:
    """The state and the rules. ``requests`` and ``refused`` are what came and what was refused, in order.

    ``playbooks`` are those that the project has. A fresh AWX has one organization, one instance group and its own type
    of credential for machines.
    """

    def __init__(self, schema: Mapping[str, Any], token: str, playbooks: Sequence[str]) -> None:
        self.schema = schema
        self.token = token
        self.playbooks = playbooks
        self.requests: list[Request] = []
        self.refused: list[str] = []
        self.objects: dict[str, dict[int, Object]] = {}
        self._links: dict[tuple[str, int, str], list[int]] = {}
        self._surveys: dict[tuple[str, int], Any] = {}
        self._updates: dict[int, int] = {}
        self._last = 0
        self._lock = threading.Lock()
        for kind, name in (("organizations", "Default"), ("instance_groups", "default")):
            self._keep(kind, {"name": name})
        machine = {"fields": [{"id": name} for name in schema["inputs"]]}
        self._keep("credential_types", {"name": "Machine", "kind": "ssh", "inputs": machine, "injectors": {}})

    def copy(self) -> "Awx":
        """Another AWX that has the same now."""
        other = Awx(self.schema, self.token, self.playbooks)
        for name in ("objects", "_links", "_surveys", "_updates", "_last"):
            setattr(other, name, copy.deepcopy(getattr(self, name)))
        return other

    # What tests ask

    def named(self, kind: str, name: str) -> Object:
        """The object of this name or identifier."""
        (found,) = (
            each for each in self.objects.get(kind, {}).values() if name in (each.get("name"), each.get("identifier"))
        )
        return found

    def linked(self, kind: str, name: str, relation: str) -> list[str]:
        """The names of what an object is linked to."""
        target = self._relation(kind, relation)
        here = self.objects.get(target, {})
        ids = self._links.get((kind, self.named(kind, name)["id"], relation), [])
        return [here[each].get("identifier") or here[each]["name"] for each in ids]

    def survey(self, kind: str, name: str) -> Any:
        """The survey of a template."""
        return self._surveys.get((kind, self.named(kind, name)["id"]), {})

    # Requests

    def answer(self, request: Request, token: str | None) -> Reply:
        """Answer one request, and remember it."""
        with self._lock:
            self.requests.append(request)
            try:
                if token != f"Bearer {self.token}":
                    raise Refusal("the token is wrong")
                return self._route(request)
            except Refusal as refusal:
                self.refused.append(f"{request.method} {request.path}: {refusal}")
                return Reply(400, {"detail": str(refusal)})

    def _route(self, request: Request) -> Reply:
        url = urlsplit(request.path)
        known = self.schema["resources"].values()
        if not url.path.startswith(_ROOT):
            raise Refusal("not a path of the API")
        path = url.path.removeprefix(_ROOT)
        if not any(re.fullmatch(pattern, path) for pattern in known):
            raise Refusal("awxkit knows no such resource")
        parts = path.rstrip("/").split("/")
        if len(parts) == 1:
            return self._collection(request, parts[0], dict(parse_qsl(url.query, keep_blank_values=True)))
        kind, number = parts[0], int(parts[1])
        if kind == "project_updates" and len(parts) == 2 and request.method == "GET":
            return self._update(number)
        if number not in self.objects.get(kind, {}):
            raise Refusal("there is no such object")
        if len(parts) == 2:
            return self._detail(request, kind, number)
        return self._sub(request, kind, number, parts[2], dict(parse_qsl(url.query)))

    def _collection(self, request: Request, kind: str, query: Mapping[str, str]) -> Reply:
        if request.method == "GET":
            return self._page(request, self._found(kind, query), query)
        if request.method == "POST" and kind in self.schema["fields"]:
            made = self._checked(kind, request.body, {})
            self._unique(kind, made)
            return Reply(201, self._shown(kind, self._keep(kind, made)))
        raise Refusal("not modelled")

    def _detail(self, request: Request, kind: str, number: int) -> Reply:
        old = self.objects[kind][number]
        if request.method == "GET":
            return Reply(200, self._shown(kind, old))
        if request.method == "PATCH" and kind in self.schema["fields"]:
            old.update(self._checked(kind, request.body, old))
            return Reply(200, self._shown(kind, old))
        if request.method == "PATCH" and kind == "workflow_approval_templates":
            old.update(self._approval(request.body))
            return Reply(200, self._shown(kind, old))
        raise Refusal("not modelled")

    def _sub(self, request: Request, kind: str, number: int, what: str, query: Mapping[str, str]) -> Reply:
        if what == "survey_spec" and kind in ("job_templates", "workflow_job_templates"):
            if request.method == "GET":
                return Reply(200, self._surveys.get((kind, number), {}))
            if request.method == "POST":
                self._surveys[kind, number] = _survey(request.body)
                return Reply(200, {})
        if what == "create_approval_template" and kind == "workflow_job_template_nodes" and request.method == "POST":
            made = self._keep("workflow_approval_templates", self._approval(request.body))
            self.objects[kind][number]["unified_job_template"] = made["id"]
            return Reply(201, self._shown("workflow_approval_templates", made))
        target = self._relation(kind, what)
        linked = self._links.setdefault((kind, number, what), [])
        if request.method == "GET":
            here = self.objects.get(target, {})
            return self._page(request, [self._shown(target, here[each]) for each in linked], query)
        if request.method == "POST":
            self._link(kind, number, what, target, linked, request.body)
            return Reply(204)
        raise Refusal("not modelled")

    # Reading

    def _found(self, kind: str, query: Mapping[str, str]) -> list[Object]:
        kinds = UNIFIED if kind == "unified_job_templates" else (kind,)
        wanted = {name: value for name, value in query.items() if name not in ("page", "page_size")}
        known = {"id", "name", "identifier", *self.schema["fields"].get(kind, {}), "organization"}
        for name in wanted:
            if name.removeprefix("or__") not in known:
                raise Refusal(f"no filter {name!r}")

        def fits(each: Object) -> bool:
            either = [str(each.get(name[4:])) == value for name, value in wanted.items() if name.startswith("or__")]
            every = [str(each.get(name)) == value for name, value in wanted.items() if not name.startswith("or__")]
            return all(every) and (not either or any(either))

        found = [(each, name) for name in kinds for each in self.objects.get(name, {}).values() if fits(each)]
        return [self._shown(name, each) for each, name in found]

    def _page(self, request: Request, found: Sequence[Object], query: Mapping[str, str]) -> Reply:
        number = int(query.get("page", "1"))
        more = number * _PAGE < len(found)
        rest = "&".join(f"{name}={value}" for name, value in query.items() if name != "page")
        following = f"{urlsplit(request.path).path}?{rest}{'&' if rest else ''}page={number + 1}" if more else None
        shown = list(found)[(number - 1) * _PAGE : number * _PAGE]
        return Reply(200, {"count": len(found), "next": following, "previous": None, "results": shown})

    def _shown(self, kind: str, each: Object) -> Object:
        url = f"{_ROOT}{kind}/{each['id']}/"
        related: dict[str, str] = {}
        if kind in ("job_templates", "workflow_job_templates"):
            related["survey_spec"] = f"{url}survey_spec/"
        if kind == "workflow_job_template_nodes" and each.get("unified_job_template"):
            (its,) = (name for name in UNIFIED if each["unified_job_template"] in self.objects.get(name, {}))
            related["unified_job_template"] = f"{_ROOT}{its}/{each['unified_job_template']}/"
        summary = {"current_update": {"id": each["id"]}} if each["id"] in self._updates else {}
        shown = {**each, "url": url, "type": kind.removesuffix("s"), "related": related, "summary_fields": summary}
        if kind == "credential_types":
            shown["managed"] = each["kind"] == "ssh"
        if kind == "credentials":
            secret = self._secret_inputs(each["credential_type"])
            shown["inputs"] = {
                name: _ENCRYPTED if name in secret and value else value for name, value in each["inputs"].items()
            }
        if kind == "notification_templates" and each["notification_configuration"]["password"]:
            shown["notification_configuration"] = {**each["notification_configuration"], "password": _ENCRYPTED}
        return shown

    def _update(self, number: int) -> Reply:
        if number not in self._updates:
            raise Refusal("there is no such update")
        self._updates[number] -= 1
        if self._updates[number] > 0:
            return Reply(200, {"id": number, "status": "running"})
        del self._updates[number]
        return Reply(200, {"id": number, "status": "successful"})

    # Writing

    def _keep(self, kind: str, made: Object) -> Object:
        self._last += 1
        kept = {**made, "id": self._last}
        if kind == "projects":
            self._updates[self._last] = 2
            kept["scm_revision"] = ""
        self.objects.setdefault(kind, {})[self._last] = kept
        return kept

    def _unique(self, kind: str, made: Object) -> None:
        keys = ("identifier" if kind == "workflow_job_template_nodes" else "name", *_WITHIN.get(kind, ()))
        for each in self.objects.get(kind, {}).values():
            if all(each.get(key) == made.get(key) for key in keys):
                raise Refusal(f"there is one with this {', '.join(keys)} already")

    def _checked(self, kind: str, body: Any, old: Object) -> Object:
        """The fields of a request, which AWX would take for an object that is now ``old``."""
        if not isinstance(body, dict):
            raise Refusal("the body is no object")
        fields = self.schema["fields"][kind]
        given = {
            name: _NULLABLE[name] if value is None and name in _NULLABLE else value
            for name, value in body.items()
            if name not in _READ_ONLY
        }
        for name, value in given.items():
            if name not in fields:
                raise Refusal(f"{kind} have no field {name!r}")
            self._value(name, value, fields[name])
        whole = {**old, **given}
        special = getattr(self, f"_check_{kind}", None)
        if special:
            special(whole, given)
        return given

    def _value(self, name: str, value: Any, told: Mapping[str, Any]) -> None:
        kind, choices = told.get("type"), told.get("choices")
        if value is None and name in _NULLABLE:
            return
        if value is None:
            raise Refusal(f"{name} may not be null")
        target = _OTHER_NAMES.get(name) or self._plural(name)
        if target and isinstance(value, int) and not isinstance(value, bool):
            kinds = UNIFIED if target == "unified_job_templates" else (target,)
            if not any(value in self.objects.get(each, {}) for each in kinds):
                raise Refusal(f"{name}: no object has the id {value}")
        elif name in _AS_TEXT and kind == "dict":
            if not isinstance(value, str) or not isinstance(json.loads(value), dict):
                raise Refusal(f"{name} is no text of an object")
        elif kind in ("bool", "int", "dict", "list", "str"):
            wanted: Mapping[str, type] = {"bool": bool, "int": int, "dict": dict, "list": list, "str": str}
            if not isinstance(value, wanted[kind]) or (kind == "int" and isinstance(value, bool)):
                raise Refusal(f"{name} is no {kind}: {value!r}")
        if choices and value not in choices:
            raise Refusal(f"{name} is none of {choices}: {value!r}")

    def _plural(self, name: str) -> str | None:
        pattern = self.schema["resources"].get(name, "")
        return pattern.removesuffix(r"\d+/").rstrip("/") if pattern.endswith(r"/\d+/") else None

    def _relation(self, kind: str, what: str) -> str:
        notified = {f"notification_templates_{when}": "notification_templates" for when in _NOTIFIED.get(kind, ())}
        target = {**_ASSOCIATIONS.get(kind, {}), **notified}.get(what)
        if target is None:
            raise Refusal(f"{kind} have no {what}")
        return target

    def _link(self, kind: str, number: int, what: str, target: str, linked: list[int], body: Any) -> None:
        if not isinstance(body, dict) or not {"id"} <= set(body) <= {"id", "associate", "disassociate"}:
            raise Refusal("not an association")
        other = body["id"]
        if other not in self.objects.get(target, {}):
            raise Refusal(f"no object of {target} has the id {other}")
        if body.get("disassociate"):
            linked.remove(other)
            return
        if what == "credentials":
            types = [self.objects[target][each]["credential_type"] for each in (*linked, other)]
            if len(types) != len(set(types)):
                raise Refusal("a job takes one credential of a type")
        if target == "workflow_job_template_nodes":
            mine, its = (self.objects[target][each]["workflow_job_template"] for each in (number, other))
            if mine != its or number == other:
                raise Refusal("the nodes are not two of one workflow")
        linked.append(other)

    def _secret_inputs(self, credential_type: int) -> set[str]:
        told = self.objects["credential_types"][credential_type]
        if told["kind"] == "ssh":
            return {"password", "ssh_key_data", "ssh_key_unlock", "become_password"}
        return {field["id"] for field in told["inputs"]["fields"] if field.get("secret")}

    # What AWX's serializers check, kind by kind

    def _check_credentials(self, whole: Object, _given: Object) -> None:
        told = self.objects["credential_types"][whole["credential_type"]]
        known = {field["id"] for field in told["inputs"]["fields"]}
        unknown = set(whole["inputs"]) - known
        missing = [name for name in told["inputs"].get("required", ()) if not whole["inputs"].get(name)]
        if unknown or missing:
            raise Refusal(f"inputs of {told['name']}: unknown {sorted(unknown)}, missing {missing}")
        if not whole.get("organization"):
            raise Refusal("nobody owns the credential")

    def _check_credential_types(self, whole: Object, _given: Object) -> None:
        if whole.get("kind") not in ("cloud", "net"):
            raise Refusal("a custom type is of kind cloud or net")
        inputs, injectors = whole["inputs"], whole["injectors"]
        if not set(inputs) <= {"fields", "required", "dependencies"}:
            raise Refusal(f"inputs: {sorted(inputs)}")
        for field in inputs["fields"]:
            if not {"id", "label"} <= set(field) <= _INPUT_KEYS or field.get("type", "string") not in (
                "string",
                "boolean",
            ):
                raise Refusal(f"inputs: {field}")
        known = {field["id"] for field in inputs["fields"]}
        if not set(inputs.get("required", ())) <= known:
            raise Refusal("inputs: what is required is no field")
        if not set(injectors) <= {"file", "env", "extra_vars"}:
            raise Refusal(f"injectors: {sorted(injectors)}")
        for texts in injectors.values():
            for text in texts.values():
                used = jinja2.meta.find_undeclared_variables(jinja2.Environment(autoescape=True).parse(text))
                if not used or not used <= known:
                    raise Refusal(f"injectors: {text!r} uses {sorted(used)} of {sorted(known)}")

    def _check_execution_environments(self, whole: Object, _given: Object) -> None:
        if not re.fullmatch(r"[\w.:/@-]+", whole["image"]):
            raise Refusal(f"no reference of an image: {whole['image']!r}")

    def _check_notification_templates(self, whole: Object, given: Object) -> None:
        kind = whole["notification_type"]
        if kind != "webhook":
            raise Refusal(f"notifications of type {kind} are not modelled")
        own = set(self.schema["notifications"][kind])
        told = whole["notification_configuration"]
        missing, unknown = own - set(told), set(told) - own - set(_WEBHOOK)
        if missing or unknown:
            raise Refusal(f"notification_configuration: missing {sorted(missing)}, unknown {sorted(unknown)}")
        given["notification_configuration"] = {**_WEBHOOK, **told}

    def _check_inventory_sources(self, whole: Object, _given: Object) -> None:
        if whole["source"] != "scm" or not whole.get("source_project"):
            raise Refusal("only files of a project are modelled")

    def _check_job_templates(self, whole: Object, _given: Object) -> None:
        if whole["project"] in self._updates:
            raise Refusal("the project is not there yet")
        if whole["playbook"] not in self.playbooks:
            raise Refusal(f"playbook not found for project: {whole['playbook']}")
        if not whole.get("inventory"):
            raise Refusal("neither an inventory nor a question for one")

    def _check_schedules(self, whole: Object, _given: Object) -> None:
        rule = whole["rrule"]
        starts = re.findall(r"DTSTART(?:;TZID=[^:]+)?:\d{8}T\d{6}Z?", rule)
        rules = re.findall(r"RULE:\S*", rule)
        wrong = {
            "valid DTSTART required": len(starts) != 1,
            "DTSTART is naive": bool(re.search(r"DTSTART:\d{8}T\d{6}(?!Z)", rule)),
            "one or more rule required": not rules,
            "INTERVAL required": any("INTERVAL=" not in each for each in rules),
            "SECONDLY is not supported": any("SECONDLY" in each for each in rules),
            "not both COUNT and UNTIL": any("COUNT" in each and "UNTIL" in each for each in rules),
            "COUNT > 999": any(int(number) > 999 for each in rules for number in re.findall(r"COUNT=(\d+)", each)),
            "EXDATE and RDATE are not allowed": bool(re.search(r"(?i)(EX|R)DATE:", rule)),
        }
        if any(wrong.values()):
            raise Refusal(f"rrule {rule!r}: {[text for text, is_so in wrong.items() if is_so]}")

    def _approval(self, body: Any) -> Object:
        if not {"name"} <= set(body) <= {"name", "description", "timeout"}:
            raise Refusal(f"an approval has no {sorted(body)}")
        if not isinstance(body.get("timeout", 0), int):
            raise Refusal(f"timeout is no int: {body['timeout']!r}")
        return dict(body)


def _survey(told: Any) -> Any:
    """A survey as AWX would take it. Raises Refusal."""
    if set(told) != {"name", "description", "spec"} or not told["spec"]:
        raise Refusal(f"a survey has name, description and spec, and not {sorted(told)}")
    seen = set()
    for question in told["spec"]:
        missing = {"type", "question_name", "variable", "required"} - set(question)
        unknown = set(question) - _SURVEY_KEYS
        if missing or unknown:
            raise Refusal(f"survey: missing {sorted(missing)}, unknown {sorted(unknown)}")
        if question["variable"] in seen:
            raise Refusal(f"survey: {question['variable']} twice")
        seen.add(question["variable"])
        wanted = _SURVEY_TYPES.get(question["type"])
        default = question.get("default", "")
        if wanted is None or not isinstance(question["required"], bool):
            raise Refusal(f"survey: {question}")
        if default != "" and (not isinstance(default, wanted) or isinstance(default, bool)):
            raise Refusal(f"survey: the default {default!r} is no {wanted.__name__}")
        if question["type"].startswith("multi") and default not in question.get("choices", ()):
            raise Refusal(f"survey: the default {default!r} is no choice of {question['variable']}")
        if not all(isinstance(question.get(limit, 0), int) for limit in ("min", "max")):
            raise Refusal(f"survey: the limits of {question['variable']} are no integers")
    return told


@contextmanager
def serving(awx: Awx) -> Iterator[str]:
    """The address at which ``awx`` answers."""

    class Handler(BaseHTTPRequestHandler):
        def do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"null")
            reply = awx.answer(Request(self.command, self.path, body), self.headers.get("Authorization"))
            data = b"" if reply.body is None else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            self.send_header("X-API-Product-Name", "AWX")
            self.send_header("X-API-Product-Version", VERSION)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_OPTIONS = do_HEAD = do

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
