#!/usr/bin/python
"""Stand-in for the four FOG modules: the playbooks' own logic is tested without a FOG host.

It is copied under each module's name. Its host is a JSON file, given as fog_settings: ``findings``, what the info
module returns beside them (``info``), what each changing module cures and tells (``modules``), ``fail`` (module to
message), ``missing_libraries`` and ``later`` (the findings of each look after the first, one list a look). Every call
is appended to ``calls``; check mode changes nothing else. What it does not know, an option or a module without an
entry in ``modules``, makes it fail.
"""

import json
import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.imaging.multicast.plugins.module_utils._fog.options import connection_spec

NAME = "STAND_IN"
OWN: dict[str, dict[str, Any]] = {
    "fog_multicast_info": {"master": {"type": "bool"}},
    "fog_storage_iface": {
        "node": {"type": "str"},
        "interface": {"type": "str", "default": "auto"},
        "address": {"type": "str"},
        "master": {"type": "bool"},
    },
    "fog_multicast_reset": {"method": {"type": "str", "default": "cancel", "choices": ["cancel", "delete"]}},
    "fog_multicast_service": {
        "allow_restart": {"type": "bool", "default": False},
        "restart": {"type": "bool", "default": False},
        "master": {"type": "bool"},
    },
}


def main():
    spec = dict(connection_spec(), stale_after={"type": "int", "default": 1800}, **OWN[NAME])
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    path = module.params["fog_settings"]
    with open(path) as file:
        host = json.load(file)
    # An argument_spec that differs from the real one would hide a mistake of the role.
    own = {key: module.params[key] for key in OWN[NAME] if module.params[key] is not None}
    host.setdefault("calls", []).append([NAME, module.check_mode, own])
    save(path, host)
    if NAME in host.get("fail", {}):
        module.fail_json(msg=host["fail"][NAME])
    if host.get("missing_libraries"):
        missing = host.pop("missing_libraries")
        save(path, host)
        module.fail_json(msg="Libraries are missing: %s" % ", ".join(missing), missing_libraries=missing)
    if NAME == "fog_multicast_info":
        if host.get("later") and [call[0] for call in host["calls"]].count(NAME) > 1:
            host["findings"] = host["later"].pop(0)
            save(path, host)
        module.exit_json(changed=False, findings=host["findings"], **host.get("info", {}))
    told = host["modules"][NAME]
    left = [each for each in host["findings"] if each["id"] not in told.get("cures", ())]
    steps = told.get("steps", [])
    if module.check_mode:
        steps = [dict(each, outcome="planned") if each["outcome"] == "done" else each for each in steps]
    else:
        save(path, dict(host, findings=left))
    module.exit_json(changed=bool(steps), steps=steps, findings=left, refused=told.get("refused", ""))


def save(path, host):
    draft = path + ".draft"
    with open(draft, "w") as file:
        json.dump(host, file)
    os.replace(draft, path)


if __name__ == "__main__":
    main()
