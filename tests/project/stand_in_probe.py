#!/usr/bin/python
"""Stand-in for multicast_probe: the role's own logic is tested without a network. Both ends are judged by the real one.

A sender's host is the JSON file of the other stand-ins: ``probe`` holds the findings of its sender, and ``fail`` a
message. Every call of a sender is appended to ``calls``. Every receiver gets everything.
"""

import json
import socket

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.imaging.multicast.plugins.module_utils._probe.probe import argument_spec, judge


def main():
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    params = module.params
    if params["role"] == "judge":
        module.exit_json(**judge(params["results"], params["absent"]))
    end = {"changed": False, "role": params["role"], "portbase": params["portbase"] or 50020}
    end.update(host=socket.gethostname(), address="10.0.0.1", rendezvous="10.0.0.1")
    end.update(size=params["size"], sha256="it", findings=[])
    end.update(counters={"Udp.InDatagrams": 100})
    end.update(bytes=0 if module.check_mode else params["size"], complete=not module.check_mode)
    if params["role"] == "sender":
        with open(params["fog_settings"]) as file:
            host = json.load(file)
        host["calls"].append(["multicast_probe", module.check_mode, {"receivers": params["receivers"]}])
        with open(params["fog_settings"], "w") as file:
            json.dump(host, file)
        if "multicast_probe" in host.get("fail", {}):
            module.fail_json(msg=host["fail"]["multicast_probe"])
        if not module.check_mode:
            end.update(findings=host.get("probe", []), complete=not host.get("probe"))
    elif params["portbase"] != 50020:
        module.fail_json(msg="not the sender's port")
    elif params["rendezvous"] != "10.0.0.1":
        module.fail_json(msg="not the sender's address")
    module.exit_json(**end)


if __name__ == "__main__":
    main()
