# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A head node that can be changed, behind the interface of a Channel, for the tests of plan, apply and the flows.

It holds a registry, a service, features and a boot, and does to them what the programs do whose commands it is given.
What it does not model it refuses: the command ends with 99 and stands in ``refused``, which every test looks at.
"""

from ansible_collections.imaging.multicast.plugins.module_utils._wds import store
from ansible_collections.imaging.multicast.plugins.module_utils._wds.batch import Answer, Command
from ansible_collections.imaging.multicast.plugins.module_utils._wds.channel import ChannelError, LostError
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._wds import head_node

NAME = "HEADNODE-CCP"
DEFINITION = {name: (kind, data) for name, kind, data in head_node.HEADNODE}
BOOTS = "20261121080000.500000+060", "20261122080000.500000+060", "20261123080000.500000+060"
TRANSPORT, DEPLOYMENT = 2, 4


def full(path):
    return path.replace("HKLM\\", head_node.HKLM + "\\", 1)


class Machine:
    """A healthy Server 2019 head node with HPC and without a baseline; a test changes what it wants to."""

    where = "hn1 (winrm)"
    powershell = True

    def __init__(self, build="17763", name=NAME):
        self.tree = {}
        self.state, self.features = 4, TRANSPORT
        self.live = {}  # registered namespaces: name -> its values
        self.sending, self.tombstoned = set(), set()
        self.hpc_management = 4
        self.boot = BOOTS[0]
        self.booting = False
        self.boots_lost = 0  # so many reboots do not come back in time
        self.hpc_makes = None  # values of the namespace that HPC makes by itself after a reboot
        self.features_exit = {}  # "remove" or "install" -> exit code
        self.feature_tool = "cmdlets"
        self.programs = {}  # program -> exit code instead of doing anything
        self.unread = ()  # keys of the look whose program is missing
        self.rounds, self.writes, self.refused, self.told = [], [], [], []
        self.cut = None  # (number of the round trip, "before" or "after"): there the connection breaks
        self.hook = None  # called before each round trip
        self.seconds = 0.0
        self.set(head_node.VERSION, "CurrentVersion", "REG_SZ", "6.3")
        self.set(head_node.VERSION, "CurrentBuildNumber", "REG_SZ", build)
        self.set(head_node.COMPUTER, "ComputerName", "REG_SZ", "HEADNODE")
        self.add(head_node.HPC)
        self.install()
        self.namespace(name)
        if build in ("6001", "6002", "6003", "7600", "7601"):
            self.feature_tool = "servermanagercmd"

    # The registry

    def add(self, path):
        self.tree.setdefault(path.upper(), (path, {}))

    def set(self, path, value, kind, data):
        self.add(path)
        self.tree[path.upper()][1][value] = (kind, data)

    def values(self, path):
        found = self.tree.get(full(path).upper())
        return None if found is None else found[1]

    def below(self, path):
        start = path.upper() + "\\"
        return [key for key in self.tree if key == path.upper() or key.startswith(start)]

    def delete(self, path):
        for key in self.below(path):
            del self.tree[key]

    def install(self):
        self.start = 2
        self.add(head_node.NAMESPACES)
        for value, kind, data in head_node.PROVIDER:
            self.set(head_node.PROVIDERS + "\\WDS", value, kind, data)

    @property
    def start(self):
        """How WDSServer starts: 2 automatic, 3 on demand, 4 disabled."""
        return int(self.tree[head_node.SERVICE.upper()][1]["Start"][1], 16)

    @start.setter
    def start(self, value):
        self.set(head_node.SERVICE, "Start", "REG_DWORD", hex(value))

    # What is set up and looked at

    def namespace(self, name, live=True, **changes):
        """Put a namespace into the store and, unless told otherwise, into the live view."""
        values = dict(DEFINITION, **{key: ("REG_SZ", data) for key, data in changes.items()})
        for value, (kind, data) in values.items():
            self.set(head_node.NAMESPACES + "\\" + name, value, kind, data)
        if live:
            self.live[name] = values

    def lose(self, name=NAME):
        """The namespace is gone, as after an update."""
        self.delete(head_node.NAMESPACES + "\\" + name)
        self.live.pop(name, None)

    def keep(self, name=NAME, **changes):
        """Its definition was kept."""
        for value, (kind, data) in dict(DEFINITION, **changes).items():
            self.set(f"{head_node.OWN}\\Namespaces\\{name}", value, kind, data)

    def stop(self, start=2):
        self.state, self.start, self.live = 1, start, {}

    def uninstall(self):
        self.features, self.state, self.live = 0, None, {}
        self.delete(head_node.SERVICE)

    def without_hpc(self):
        self.delete(head_node.HPC)
        self.hpc_management = None

    def stored(self):
        """The names in the store."""
        start = head_node.NAMESPACES.upper() + "\\"
        return sorted(self.tree[key][0].rsplit("\\", 1)[1] for key in self.tree if key.startswith(start))

    def backups(self):
        """The copies of the store: stamp -> names."""
        found = {}
        start = full(store.OWN + "\\Backups\\").upper()
        for key, (path, _values) in self.tree.items():
            if key.startswith(start):
                stamp, _dash, name = path[len(start) :].partition("\\")
                found.setdefault(stamp, [])
                if name:
                    found[stamp].append(name)
        return found

    def place(self):
        """Where a reinstall stands."""
        values = self.values(store.REINSTALL)
        return values and values["Stage"][1]

    # The channel

    def run(self, items):
        """As Channel.run."""
        if self.hook:
            self.hook(self)
        number = len(self.rounds)
        self.rounds.append([item.key for item in items])
        if self.cut == (number, "before"):
            raise LostError("the connection broke before anything was done")
        answers = {item.key: self.answer(item) for item in items}
        if not self.powershell and "live" in answers:
            answers["boot"] = Answer(0, f"LastBootUpTime={self.boot}")
        if self.cut == (number, "after"):
            raise LostError("the connection broke after it was done")
        return answers

    def await_boot(self, before, timeout, tell):
        """As Channel.await_boot."""
        tell(f"{self.where}: waiting for the restart")
        if self.cut == (len(self.rounds), "boot"):
            self.cut = None
            raise ChannelError("the connection broke while the host was booting")
        if self.boots_lost:
            self.boots_lost -= 1
            raise ChannelError(f"{self.where} did not start anew within {timeout:.0f} s")
        if not self.booting and self.boot == before:
            raise ChannelError(f"{self.where} still runs after {timeout:.0f} s")
        self.finish_boot()
        return self.boot

    def finish_boot(self):
        """The host comes up, once it is going down."""
        if not self.booting:
            return
        self.booting = False
        self.boot = BOOTS[BOOTS.index(self.boot) + 1] if self.boot in BOOTS[:-1] else f"2027{self.boot[4:]}"
        if self.features & TRANSPORT:
            self.state = 1
            if self.start == 2:
                self.start_service()
            if self.hpc_makes is not None:
                self.namespace(NAME)

    def sleep(self, seconds):
        self.seconds += seconds

    def clock(self):
        return self.seconds

    def tell(self, line):
        self.told.append(line)

    def answer(self, item):
        """What one command or script answers, and does."""
        if item.key in self.unread:
            return Answer(-1, "")
        if not isinstance(item, Command):
            return self.script(item)
        if item.program in self.programs:
            return Answer(self.programs[item.program], "Fehler bei der Ausf\xfchrung.")
        name = "do_" + item.program.partition(".")[0]
        found = getattr(self, name)(*item.arguments) if hasattr(self, name) else None
        if found is None:
            self.refused.append(f"{item.program} {' '.join(item.arguments)}")
            return Answer(99, "refused")
        return found

    def wrote(self, what):
        self.writes.append(what)
        return Answer(0, "Der Vorgang wurde erfolgreich beendet.")

    def script(self, item):
        if not self.powershell:
            return Answer(None, "")
        if item.key == "live":
            lines = ["ps 5.1.17763.1", "boot " + self.boot]
            if not self.features:
                return Answer(0, "\n".join([*lines, "error -2147221164"]))
            lines += [f"features {self.features}", f"running {self.state == 4}"]
            listed = [self.shown(name, values) for name, values in self.live.items()]
            return Answer(0, "\n".join([*lines, f"count {len(listed)}", *listed]))
        if item.key == "feature" and self.feature_tool == "cmdlets":
            remove = "Uninstall-WindowsFeature WDS" in item.text
            if not remove and "Install-WindowsFeature WDS-Transport" not in item.text:
                return self.refused.append(item.text) or Answer(99, "")
            code = self.feature("remove" if remove else "install")
            lines = ["success %s" % (code in (0, 3010, 1003)), f"exit {code}", "restart Yes"]
            return Answer(0, "\n".join(lines))
        self.refused.append(f"script {item.key}")
        return Answer(99, "")

    def shown(self, name, values):
        more = {
            "friendly": values["FriendlyName"][1],
            "description": values["Description"][1],
            "started": name in self.sending,
            "tombstoned": name in self.tombstoned,
            "type": int(values["Type"][1], 16),
        }
        return head_node.live_namespace(name, values["ContentProvider"][1], values["Configuration"][1], **more)

    def feature(self, what):
        code = self.features_exit.get(what)
        if code is not None:
            return code
        wanted = 0 if what == "remove" else TRANSPORT
        if self.features == wanted:
            return 1003
        self.writes.append(f"feature {what}")
        if what == "remove":
            self.uninstall()
        else:
            self.features = TRANSPORT
            self.install()
        return 3010

    def start_service(self):
        self.state = 4
        for name in self.stored():
            values = self.values(store.NAMESPACES + "\\" + name)
            provider = values.get("ContentProvider", ("", ""))[1]
            if self.values(store.PROVIDERS + "\\" + provider) is None or not provider:
                self.delete(head_node.NAMESPACES + "\\" + name)  # event 769
            else:
                self.live[name] = values

    # The programs

    def do_reg(self, verb, path, *rest):
        path = full(path)
        if verb == "query":
            if path.upper() not in self.tree and not self.below(path):
                return Answer(1, head_node.NOT_FOUND["de"])
            deep = "/s" in rest
            keys = []
            for key in self.below(path):
                own, values = self.tree[key]
                depth = key[len(path) :].count("\\")
                if depth == 0 or deep:
                    keys.append((own, [(name, *value) for name, value in values.items()]))
                elif depth == 1:
                    keys.append((own, []))
            if not deep:
                # Keys in between may hold only others.
                children = {key[len(path) :].split("\\")[1] for key in self.below(path) if key != path.upper()}
                known = {own[len(path) + 1 :].upper() for own, _values in keys}
                keys += [(f"{path}\\{child}", []) for child in sorted(children - known)]
            return Answer(0, head_node.printed(keys))
        if verb == "copy":
            return self.copy(path, full(rest[0]), rest[1:])
        options = {rest[index]: rest[index + 1] for index in range(0, len(rest) - 1, 2)}
        if verb == "add" and rest[-1] == "/f" and set(options) == {"/v", "/t", "/d"}:
            self.set(path, options["/v"], options["/t"], options["/d"])
            return self.wrote(f"reg add {path} {options['/v']}={options['/d']}")
        if verb == "delete" and rest == ("/f",):
            if not self.below(path):
                return Answer(1, head_node.NOT_FOUND["de"])
            self.delete(path)
            return self.wrote(f"reg delete {path}")
        if verb == "delete" and rest[0] == "/v" and rest[2:] == ("/f",):
            if self.tree.get(path.upper(), ("", {}))[1].pop(rest[1], None) is None:
                return Answer(1, head_node.NOT_FOUND["de"])
            return self.wrote(f"reg delete {path} {rest[1]}")
        return None

    def copy(self, source, target, rest):
        if rest != ("/s", "/f"):
            return None
        if not self.below(source):
            return Answer(1, head_node.NOT_FOUND["de"])
        for key in self.below(source):
            path, values = self.tree[key]
            self.add(target + path[len(source) :])
            self.tree[(target + path[len(source) :]).upper()][1].update(values)
        return self.wrote(f"reg copy {source} {target}")

    def do_sc(self, verb, name, *rest):
        if verb == "config" and name == "WDSServer" and rest == ("start=", "auto") and self.state is not None:
            self.start = 2
            return self.wrote("sc config WDSServer auto")
        if verb not in ("query", "queryex") or rest:
            return None
        states = {"WDSServer": self.state, "HpcManagement": self.hpc_management, "DNS": None}
        if states[name] is None:
            return Answer(1060, head_node.NO_SERVICE["de"])
        return Answer(0, head_node.service_text("de", name, states[name], 7 if verb == "queryex" else None))

    def do_net(self, verb, name):
        if (verb, name) != ("start", "WDSServer"):
            return None
        if self.state is None or self.start == 4:
            return Answer(2, "Der Dienst kann nicht gestartet werden.")
        self.writes.append("net start WDSServer")
        self.start_service()
        return Answer(0, "Der Dienst wurde gestartet.")

    def do_cmd(self, *arguments):
        return Answer(1, "") if arguments[1].startswith("netstat.exe -ano -p UDP|") else None

    def do_wevtutil(self, verb, *_rest):
        return Answer(0, "") if verb == "qe" else None

    def do_servermanagercmd(self, *arguments):
        known = {("-remove", "WDS"): "remove", ("-install", "WDS-Transport"): "install"}
        if self.feature_tool != "servermanagercmd" or arguments not in known:
            return None
        return Answer(self.feature(known[arguments]), "Ein Neustart ist erforderlich.")

    def do_shutdown(self, *arguments):
        if arguments != ("/r", "/t", "2", "/d", "p:2:4"):
            return None
        if self.booting:
            return Answer(1115, "")
        self.booting = True
        return self.wrote("shutdown")

    def do_wdsutil(self, verb, *arguments):
        words = dict(argument[1:].split(":", 1) if ":" in argument else (argument[1:], "") for argument in arguments)
        name = words.pop("Namespace", None)
        if not name or self.state != 4:
            return Answer(1, "Fehlercode: 0xC1100113")
        if verb == "/Remove-Namespace" and set(words) <= {"Force"}:
            if name not in self.live:
                return Answer(1, "Fehlercode: 0xC1100108")
            if name in self.sending and "Force" not in words:
                self.tombstoned.add(name)
                return self.wrote(f"wdsutil remove {name}, later")
            self.lose(name)
            return self.wrote(f"wdsutil remove {name}")
        if verb == "/New-Namespace" and words.pop("NamespaceType") == "AutoCast" and "FriendlyName" in words:
            provider = words.pop("ContentProvider")
            if name in self.live:
                return Answer(1, "Fehlercode: 0xC1100107")
            if self.values(store.PROVIDERS + "\\" + provider) is None:
                return Answer(1, "Fehlercode: 0xC1100104")
            changes = {"FriendlyName": words.pop("FriendlyName"), "Description": words.pop("Description", "")}
            self.namespace(name, ContentProvider=provider, Configuration=words.pop("ConfigString", ""), **changes)
            return None if words else self.wrote(f"wdsutil create {name}")
        return None
