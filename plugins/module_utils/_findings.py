# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The vocabulary both wings share: what a finding is, and the catalogue of every finding there can be.

Pure: no input or output, no clock. ``docs/findings.md`` is generated from :data:`CATALOGUE`.
"""

from typing import Any, Dict, NamedTuple, Optional, Sequence, Tuple

ERROR = "error"
WARNING = "warning"
INFO = "info"
#: Severities, worst first: ``error`` breaks multicast, ``warning`` will or may, ``info`` does not.
SEVERITIES = (ERROR, WARNING, INFO)


class Finding(NamedTuple):
    """One thing that is wrong, or worth knowing, about one subject on one host (design section 3)."""

    id: str
    severity: str
    subject: str
    summary: str
    evidence: Tuple[str, ...]
    cause: str
    repair: str
    repairable: bool
    gate: Optional[str]

    def as_dict(self) -> Dict[str, Any]:
        """The finding as plain data for a module's result; ``evidence`` becomes a list of strings."""
        return dict(self._asdict(), evidence=list(self.evidence))


class Entry(NamedTuple):
    """What the catalogue says about a finding id before any host was seen."""

    severity: str
    meaning: str
    cause: str
    repair: str
    repairable: bool
    gate: Optional[str]
    source: str


def finding(finding_id: str, subject: str, summary: str, evidence: Sequence[str] = (), **changes: Any) -> Finding:
    """Make a finding from its catalogue entry.

    :param finding_id: a key of :data:`CATALOGUE`.
    :param subject: what it is about, for example ``session 12`` or ``storage node DefaultMember``.
    :param summary: one sentence for people, with the particulars of this host.
    :param evidence: what was seen, one observation each.
    :param changes: fields of :class:`Finding` that differ from the catalogue on this host
        (``severity``, ``cause``, ``repair``, ``repairable``, ``gate``).
    :raises KeyError: the id is not in the catalogue.
    """
    entry = CATALOGUE[finding_id]
    made = Finding(
        id=finding_id,
        severity=entry.severity,
        subject=subject,
        summary=summary,
        evidence=tuple(evidence),
        cause=entry.cause,
        repair=entry.repair,
        repairable=entry.repairable,
        gate=entry.gate,
    )
    return made._replace(**changes)


CATALOGUE = {
    "fog.db.unreachable": Entry(
        ERROR,
        "FOG's database does not answer, or refuses the login, so neither FOG nor this collection can read it.",
        "The database server is down, unreachable from this host, or user, password or database name are wrong.",
        "Start the database server, or correct the credentials in .fogsettings and config.class.php.",
        False,
        None,
        "facts/fog.md section 4, row 4",
    ),
    "fog.db.foreign_schema": Entry(
        ERROR,
        "The database answers but is not one this collection knows: a table or column is missing, "
        "or the schema version is outside the known range.",
        "The database is another program's, damaged, or of a FOG release that was never seen.",
        "Check login_db, or complete FOG's database update in its web interface. Nothing is changed until then.",
        False,
        None,
        "facts/fog.md section 1",
    ),
    "fog.db.two_databases": Entry(
        ERROR,
        "FOG itself uses another database than the one that was read, so what was read says nothing about it.",
        "snmysqlhost or mysqldbname in .fogsettings were left behind when the database was moved; the daemon goes by "
        "config.class.php.",
        "Correct .fogsettings, or say with fog_multicast_login_host and fog_multicast_login_db (login_host, login_db) "
        "which database is meant. Nothing is changed until then.",
        False,
        None,
        "facts/fog.md section 2",
    ),
    "fog.db.no_delete": Entry(
        WARNING,
        "A repair needs to delete rows and the database user may not.",
        "A storage node logs in as fogstorage, which has no DELETE right.",
        "Run the repair on the FOG server that holds the database, or give login_user and login_password "
        "of a user that may delete.",
        False,
        None,
        "facts/fog.md section 1",
    ),
    "fog.version.unknown": Entry(
        WARNING,
        "Which network interface FOG will use cannot be known, so interfaces are not judged.",
        "The release is newer than the ones examined, lies where the rule changed, or its version or the host's routes "
        "could not be read.",
        "Compare the --interface in multicast.log with the node's address by hand.",
        False,
        None,
        "facts/fog.md section 0.1",
    ),
    "fog.node.no_master": Entry(
        ERROR,
        "A storage group has no enabled master node, so no daemon serves its sessions.",
        "The master flag was taken away, or the master node was disabled or deleted.",
        "Make the storage node that holds the images the master (fog_storage_iface with master: true).",
        True,
        None,
        "facts/fog.md section 2 and section 4, row 3",
    ),
    "fog.node.many_masters": Entry(
        ERROR,
        "A storage group has more than one enabled master node.",
        "A second node was given the master flag by hand.",
        "Say which host is the master: set fog_multicast_master to true on it.",
        True,
        "fog_multicast_master",
        "facts/fog.md section 4, row 3",
    ),
    "fog.node.master_not_local": Entry(
        ERROR,
        "This FOG server's storage group has its only master on another host, so the daemon here serves nothing.",
        "The master flag sits on a host that may be no FOG server, such as a NAS.",
        "If this host shall be the master, set fog_multicast_master to true on it, and to false if it shall not.",
        True,
        "fog_multicast_master",
        "facts/fog.md section 4, row 3; FOG issue 268",
    ),
    "fog.node.address_not_local": Entry(
        ERROR,
        "The address of this host's storage node is on none of its interfaces; the daemon waits for it for ever.",
        "The server's address changed after FOG was installed.",
        "Correct the node's address and restart FOGMulticastManager, which remembers the old addresses.",
        True,
        None,
        "facts/fog.md section 2 and section 4, row 8",
    ),
    "fog.node.disabled": Entry(
        WARNING,
        "The storage node of this host is disabled, so its daemon does not serve its group.",
        "Somebody disabled the node in FOG's web interface.",
        "Enable the node in FOG's web interface if this was not meant.",
        False,
        None,
        "facts/fog.md section 2",
    ),
    "fog.interface.record_stale": Entry(
        WARNING,
        "The interface in the node's record is not the one that carries the node's address.",
        "The interface was renamed or replaced after FOG was installed.",
        "Correct the record (fog_storage_iface). On FOG 1.4 and later this cures the bandwidth page and the "
        "fallback of newer builds; it does not by itself repair multicast.",
        True,
        None,
        "facts/fog.md section 0.1",
    ),
    "fog.interface.absent": Entry(
        ERROR,
        "The daemon would start udp-sender on an interface that does not exist.",
        "This release takes the interface from a record or setting, and that names an interface that is gone.",
        "Correct the record and the settings (fog_storage_iface).",
        True,
        None,
        "facts/fog.md section 0.1 and section 4, row 7",
    ),
    "fog.interface.down": Entry(
        ERROR,
        "The interface that carries the node's address is down.",
        "The link is off, unplugged, or the interface was shut down.",
        "Bring the link up. Links are never changed by this collection.",
        False,
        None,
        "facts/fog.md section 0.1",
    ),
    "fog.interface.no_multicast": Entry(
        ERROR,
        "The interface that carries the node's address does not do multicast.",
        "The MULTICAST flag of the interface is off.",
        "Turn it on (ip link set dev NAME multicast on) and in the host's network configuration.",
        False,
        None,
        "facts/fog.md section 0.1",
    ),
    "fog.interface.no_route": Entry(
        WARNING,
        "No route of the kernel names the node's address, so udp-sender is started without an interface "
        "and chooses one itself.",
        "The address has a /32 prefix or the connected route was removed.",
        "Give the address its network's prefix length in the host's network configuration.",
        False,
        None,
        "facts/fog.md section 0.1",
    ),
    "fog.interface.lookup_bug": Entry(
        ERROR,
        "This FOG release takes the wrong word, or the wrong line, of the routing table and starts udp-sender on an "
        "interface that does not exist or does not carry the node's address.",
        "FOG searches for the address as text. FOG 1.5.8 and older match any route with a source address, such as a "
        "default route learnt by DHCP; all releases take 10.0.0.1 for a part of 10.0.0.10.",
        "Update FOG to 1.5.9 or later where it is older; otherwise change the route named in the evidence.",
        False,
        None,
        "facts/fog.md section 0.1; FOG issue 908",
    ),
    "fog.session.stale": Entry(
        ERROR,
        "A session is active in the database, nothing sends it, and nothing has shown life for stale_after seconds.",
        "The clients never reported the end, or the sender died.",
        "Reset the session (fog_multicast_reset).",
        True,
        None,
        "facts/fog.md sections 3 and 4, row 1; FOG issue 820",
    ),
    "fog.session.unserved": Entry(
        ERROR,
        "A session waits and no daemon takes it up.",
        "Its storage group has no master that runs, or the daemon of the master is stuck or refuses the session.",
        "Cure the cause found beside it; the daemon then takes the session up by itself.",
        False,
        None,
        "facts/fog.md section 3 (b)",
    ),
    "fog.session.port_shared": Entry(
        ERROR,
        "Two active sessions use the same port, so only one of them can be sent.",
        "FOG_MULTICAST_PORT_OVERRIDE holds a single port.",
        "Set FOG_MULTICAST_PORT_OVERRIDE to 0 in FOG's settings; a session proven stale is reset.",
        False,
        None,
        "facts/fog.md section 4, row 9",
    ),
    "fog.association.orphan": Entry(
        WARNING,
        "Association rows point at sessions that are finished or gone.",
        "A cancel was cut off, or a storage node without the DELETE right ended the session.",
        "Delete the rows (fog_multicast_reset).",
        True,
        None,
        "facts/fog.md section 3 (d)",
    ),
    "fog.task.orphan": Entry(
        ERROR,
        "A multicast task is active and belongs to no session; its client sees 'Invalid Multicast Session'.",
        "The session was deleted or cancelled and the task was left.",
        "Cancel the task (fog_multicast_reset).",
        True,
        None,
        "facts/fog.md section 3 (f)",
    ),
    "fog.sender.orphan": Entry(
        ERROR,
        "A udp-sender runs for a port that no active session uses; the next session on it cannot start.",
        "Cancelling a session in FOG never ends its udp-sender.",
        "End exactly that sender (fog_multicast_reset).",
        True,
        None,
        "facts/fog.md section 0.2; FOG issues 523, 536",
    ),
    "fog.sender.missing_binary": Entry(
        ERROR,
        "udp-sender is not where FOG looks for it; the daemon exits at once.",
        "The distribution installs it elsewhere, or it was removed.",
        "Link the configured path to the installed udp-sender, or install udpcast.",
        True,
        None,
        "facts/fog.md section 4, row 6; FOG issue 747",
    ),
    "fog.service.stopped": Entry(
        ERROR,
        "FOGMulticastManager does not run on a host whose storage node is a master.",
        "The service was stopped, failed, or is not enabled at boot.",
        "Start and enable the service.",
        True,
        None,
        "facts/fog.md section 2",
    ),
    "fog.service.child_dead": Entry(
        ERROR,
        "The service manager calls FOGMulticastManager active, but the child that does the work is gone.",
        "The child crashed, and its parent has not started another or starts it in vain.",
        "Cure the cause named in the evidence, then restart the service.",
        True,
        None,
        "facts/fog.md section 0.3; FOG issues 728, 907, 945",
    ),
    "fog.service.outdated_cache": Entry(
        ERROR,
        "FOGMulticastManager waits for an interface or a master flag that is there: it remembers the addresses this "
        "host had when the daemon started.",
        "The node's address or this host's address was corrected, or came up, after the daemon was started.",
        "Restart the service.",
        True,
        None,
        "facts/fog.md section 2; FOG issue 268",
    ),
    "fog.service.disabled_globally": Entry(
        ERROR,
        "Multicast is switched off for the whole FOG installation.",
        "The setting MULTICASTGLOBALENABLED is 0.",
        "Set MULTICASTGLOBALENABLED to 1 in FOG's settings if this was not meant.",
        False,
        None,
        "facts/fog.md section 1 and section 4, row 10",
    ),
    "fog.log.silent": Entry(
        ERROR,
        "The daemon's child is alive but has written nothing for more than three of its intervals.",
        "The child hangs, for example waiting for the database, or cannot write its log.",
        "Cure the cause named in the evidence, then restart the service.",
        True,
        None,
        "facts/fog.md section 4, row 4",
    ),
    "fog.image.missing": Entry(
        ERROR,
        "The image of a waiting session is not on this master.",
        "The image was moved, deleted or never replicated.",
        "Put the image back or cancel the session in FOG's web interface.",
        False,
        None,
        "facts/fog.md section 4, row 10",
    ),
    "wds.role.missing": Entry(
        ERROR,
        "The Transport Server role of Windows Deployment Services is not installed, so nothing here can do multicast.",
        "The role was removed, or a reinstall of it was not finished. HPC Pack can also be set up without it "
        "on purpose (-SkipComponent), which cannot be told apart where nothing shows that multicast was ever "
        "used.",
        "Install WDS-Transport and restore the namespace (wds_transport_server with state: reinstalled).",
        True,
        "wds_multicast_allow_reinstall",
        "facts/windows.md section 6",
    ),
    "wds.reinstall.interrupted": Entry(
        WARNING,
        "A reinstall of WDS-Transport was begun on this head node and not finished.",
        "The run was interrupted, or a reboot or the installation failed.",
        "Run wds_transport_server with state: reinstalled again: it continues where it stood.",
        True,
        "wds_multicast_allow_reinstall",
        "facts/windows.md section 9",
    ),
    "wds.service.stopped": Entry(
        ERROR,
        "The service WDSServer does not run, so no namespace is served.",
        "It was stopped, or it failed. Each of its starts deletes the namespaces that it cannot register.",
        "Save the store, then start the service (wds_transport_server).",
        True,
        None,
        "facts/windows.md sections 1 and 9",
    ),
    "wds.service.disabled": Entry(
        ERROR,
        "The service WDSServer is disabled: it does not start with the server.",
        "Somebody disabled it.",
        "Set its start type to automatic (wds_transport_server).",
        True,
        None,
        "facts/windows.md sections 7 and 9",
    ),
    "wds.namespace.missing": Entry(
        ERROR,
        "The namespace that compute nodes are told to join does not exist. They are given a blank one and "
        "copy the image by unicast.",
        "At a start of WDSServer the namespace could not be registered, and Windows deleted it from the store.",
        "Create the namespace again (wds_multicast_namespace) from its saved definition or from the options "
        "content_provider and configuration. The last resort is the reinstall of WDS-Transport "
        "(wds_transport_server with state: reinstalled), which needs wds_multicast_allow_reinstall and "
        "wds_multicast_allow_reboot.",
        True,
        None,
        "facts/windows.md sections 0, 1 and 9",
    ),
    "wds.namespace.inconsistent": Entry(
        ERROR,
        "The store in the registry and the running service disagree about a namespace, or its definition "
        "contradicts itself.",
        "The namespace was created or removed a moment ago, could not be registered, or the registry was "
        "edited by hand.",
        "Compare both by hand (wdsutil /Get-AllNamespaces and the key of the store). Nothing about this "
        "namespace is changed on a guess.",
        False,
        None,
        "facts/windows.md section 9",
    ),
    "wds.namespace.delete_pending": Entry(
        ERROR,
        "The namespace is being removed: it takes no new client and goes when the last one has finished.",
        "It was removed without force while clients were connected.",
        "Wait until its clients have finished, then run the repair again.",
        False,
        None,
        "facts/windows.md sections 3 and 4",
    ),
    "wds.namespace.differs": Entry(
        WARNING,
        "The namespace is not defined as it was asked for.",
        "It was made with other values, or the wish has changed since.",
        "Make it anew with the values asked for (wds_multicast_namespace).",
        True,
        None,
        "how-it-decides.md, head nodes",
    ),
    "wds.provider.missing": Entry(
        ERROR,
        "A namespace uses a content provider that is not registered. It cannot be created, and the next start "
        "of WDSServer deletes it.",
        "The provider was never registered on this server, or its registration was removed.",
        "Register the content provider, or repair the product that brings it, before WDSServer is started again.",
        False,
        None,
        "facts/windows.md sections 1, 2 and 5",
    ),
    "wds.baseline.missing": Entry(
        INFO,
        "A healthy namespace has no saved definition, or the saved one is out of date.",
        "It was never saved, or the namespace was changed since.",
        "Save it (wds_multicast_namespace): once the namespace is gone, its definition cannot be known.",
        True,
        None,
        "facts/windows.md section 1",
    ),
    "wds.event.513": Entry(
        ERROR,
        "WDSMC could not read its configuration.",
        "The configuration below WDSServer in the registry is damaged or may not be read.",
        "Compare WDSServer's registry keys with a healthy head node's.",
        False,
        None,
        "facts/windows.md section 5",
    ),
    "wds.event.514": Entry(
        WARNING,
        "WDSMC met a multicast address that is used twice.",
        "Another server, or another namespace, sends to the same multicast address.",
        "Give each server a range of multicast addresses of its own (wdsutil /Set-TransportServer "
        "/ObtainIPv4From:Range).",
        False,
        None,
        "facts/windows.md section 5",
    ),
    "wds.event.515": Entry(
        WARNING,
        "WDSMC met a multicast address that is used twice.",
        "Another server, or another namespace, sends to the same multicast address.",
        "Give each server a range of multicast addresses of its own (wdsutil /Set-TransportServer "
        "/ObtainIPv4From:Range).",
        False,
        None,
        "facts/windows.md section 5",
    ),
    **{
        "wds.event.%d" % number: Entry(
            WARNING,
            "WDSMC could not load or open a content provider.",
            "The provider's DLL is missing or damaged, or the provider could not open its content.",
            "Check the provider's DLL and its content. The event's own text names them.",
            False,
            None,
            "facts/windows.md section 5",
        )
        for number in range(592, 604)
    },
    "wds.event.768": Entry(
        ERROR,
        "WDSMC deleted a namespace: its start time had passed.",
        "A scheduled namespace was registered after its start time.",
        "Cure the cause and create the namespace again (wds_multicast_namespace).",
        False,
        None,
        "facts/windows.md section 5",
    ),
    "wds.event.769": Entry(
        ERROR,
        "WDSMC deleted a namespace: its content provider is not registered.",
        "The content provider's registration was missing when WDSServer started.",
        "Register the content provider first, then create the namespace again (wds_multicast_namespace).",
        False,
        None,
        "facts/windows.md section 5",
    ),
    "wds.event.770": Entry(
        ERROR,
        "WDSMC deleted a namespace: its name was already in use.",
        "Two namespaces of one name were registered.",
        "Cure the cause and create the namespace again (wds_multicast_namespace).",
        False,
        None,
        "facts/windows.md section 5",
    ),
    "wds.event.771": Entry(
        ERROR,
        "WDSMC deleted a namespace: it could not be registered.",
        "Registering it failed when WDSServer started. The error number is in the evidence.",
        "Cure the cause and create the namespace again (wds_multicast_namespace).",
        False,
        None,
        "facts/windows.md section 5",
    ),
    "wds.event.256": Entry(
        WARNING,
        "The content provider WDS found the configuration string of a namespace invalid.",
        "The configuration is not the path of a folder.",
        "Correct the configuration of the namespace, or bring the folder back.",
        False,
        None,
        "facts/windows.md section 5",
    ),
    "wds.event.257": Entry(
        WARNING,
        "The content provider WDS found that the configured path is not a folder.",
        "The path names a file.",
        "Correct the configuration of the namespace, or bring the folder back.",
        False,
        None,
        "facts/windows.md section 5",
    ),
    "wds.event.258": Entry(
        WARNING,
        "The content provider WDS did not find the configured folder.",
        "The folder was moved, deleted, or its drive is not there.",
        "Correct the configuration of the namespace, or bring the folder back.",
        False,
        None,
        "facts/windows.md section 5",
    ),
    "wds.port.clash": Entry(
        WARNING,
        "The DNS service holds UDP ports that WDS wants for multicast.",
        "The DNS service takes thousands of ports at random, also from 64001 to 65000.",
        "Give WDS other ports: on Server 2008 wdsutil /Set-TransportServer /StartPort:50000 /EndPort:65000, "
        "on later ones the registry value UdpPortPolicy 0; then restart WDSServer, after its store was saved.",
        False,
        None,
        "facts/windows.md section 7; KB977512",
    ),
    "wds.reboot.pending": Entry(
        WARNING,
        "Windows waits for a reboot to finish an installation, so roles cannot be changed and may be half there.",
        "Updates or a role were installed or removed and the server was not restarted since.",
        "Restart the server.",
        False,
        None,
        "facts/windows.md section 9",
    ),
    "wds.build.unknown": Entry(
        WARNING,
        "How this build of Windows is to be repaired is not known, so nothing on it is changed.",
        "The build is not in this collection's table.",
        "Repair by hand, or update this collection.",
        False,
        None,
        "facts/windows.md section 6",
    ),
    "wds.view.unread": Entry(
        WARNING,
        "A part of the head node could not be read. What rests on it is neither found nor repaired.",
        "The user lacks a right, a program is missing, or an answer was cut off.",
        "Give the user the right to read it (an administrator of the head node has it), or cure what the "
        "evidence names.",
        False,
        None,
        "how-it-decides.md, head nodes",
    ),
    "hpc.deployment.blank_namespace": Entry(
        WARNING,
        "Compute nodes were deployed with a blank namespace, so multicast could not be used.",
        "When they were deployed, the head node had no namespace to name.",
        "Cure wds.namespace.missing, then deploy again.",
        False,
        None,
        "facts/windows.md section 0",
    ),
    "hpc.deployment.unicast_fallback": Entry(
        WARNING,
        "Multicast failed while compute nodes were deployed, and the image was copied by unicast instead.",
        "The client of multicast ended with an error: the namespace was blank or absent, or the stream did "
        "not reach the node.",
        "Cure the findings beside it. With a healthy namespace, look at the network between head node and "
        "compute nodes.",
        False,
        None,
        "facts/windows.md section 0",
    ),
    "net.probe.failed": Entry(
        ERROR,
        "A probe of the network could not be made on this host.",
        "udp-sender or udp-receiver is not installed, or another program has the port.",
        "Install udpcast, or give the probe another portbase.",
        False,
        None,
        "facts/fog.md section 2",
    ),
    "net.firewall.sender": Entry(
        ERROR,
        "A firewall rule of the sender drops the stream of udpcast, or what the receivers answer.",
        "FOG's ports are random (49152 to 65533) and only some of them, or none, are open.",
        "Open UDP 49152-65533 in both directions in the firewall that keeps the rules (firewalld, ufw, nftables).",
        False,
        None,
        "facts/fog.md section 4, row 5",
    ),
    "net.firewall.receiver": Entry(
        ERROR,
        "A firewall rule of a receiver drops the stream of udpcast.",
        "FOG's ports are random (49152 to 65533) and the receiver lets only some of them in, or none.",
        "Open UDP 49152-65533 in the receiver's firewall, or switch it off while it is imaged.",
        False,
        None,
        "facts/fog.md section 4, row 5; seen on the lab's bridge",
    ),
    "net.source.wrong": Entry(
        ERROR,
        "The stream comes from another address, or over another interface, than the routes say.",
        "The sender has several interfaces and sends over the wrong one, or a receiver routes to it over another "
        "one (rp_filter).",
        "Send over the interface that carries the storage node's address, or correct the receiver's routes; "
        "rp_filter 2 accepts what comes over any interface that has a route.",
        False,
        None,
        "facts/fog.md section 0.1; ip-sysctl of the kernel, rp_filter",
    ),
    "net.join.missing": Entry(
        ERROR,
        "A receiver did not come together with the sender, or did not join the group of the data.",
        "The sender's announcement or the receiver's answer is lost: another VLAN, a firewall, a rendezvous "
        "address that is not the sender's.",
        "Check that receivers and sender are in one network, and FOG_MULTICAST_RENDEZVOUS.",
        False,
        None,
        "facts/fog.md section 2 and section 4, row 5",
    ),
    "net.querier.missing": Entry(
        ERROR,
        "A switch snoops IGMP and nobody asks the hosts for their groups, so the stream stops after the "
        "membership time.",
        "IGMP snooping is on in the switches of this network, and neither a router nor a switch is its querier.",
        "Switch on an IGMP querier in this network (on the switch, or multicast_querier of the bridge), or "
        "snooping off.",
        False,
        None,
        "seen on the lab's bridge; RFC 4541 section 2.1",
    ),
    "net.ttl.short": Entry(
        ERROR,
        "The stream does not live long enough to cross the routers on the way to a receiver.",
        "The stream is sent with a ttl of 1, or as many routers are on the way as its ttl allows.",
        "Let FOG send with its own ttl of 32, and switch on multicast routing between the networks.",
        False,
        None,
        "facts/fog.md section 2",
    ),
    "net.routing.missing": Entry(
        ERROR,
        "Sender and receiver are in different networks and speak with each other, but the stream does not cross.",
        "Multicast routing is off on a router on the way, or more routers are on the way than the ttl allows.",
        "Switch on multicast routing (PIM) between the networks, or keep the server and its clients in one network.",
        False,
        None,
        "facts/fog.md section 2; how-it-decides.md, the probe",
    ),
    "net.data.differs": Entry(
        ERROR,
        "A receiver got something else than was sent.",
        "Faulty memory, a faulty network card or a second sender on the same port and group.",
        "Look for another udp-sender on this port in the network, then test the receiver's hardware.",
        False,
        None,
        "how-it-decides.md, the probe",
    ),
    "net.probe.incomplete": Entry(
        ERROR,
        "Not everything that was sent arrived, and no cause was found on this host.",
        "Something between the hosts drops multicast, or another host of the same probe was the cause.",
        "Look at the findings of the other hosts of the probe, then at the switches between them.",
        False,
        None,
        "how-it-decides.md, the probe",
    ),
    "net.receiver.slow": Entry(
        WARNING,
        "One receiver is much slower than the others, and all of them wait for it.",
        "Its link is slow or full of errors (a port that fell back to 10 or 100 Mbit/s, a bad cable), or the host"
        " is busy.",
        "Look at the port and the cable of that host, or image it by itself.",
        False,
        None,
        "facts/fog.md section 2 (--full-duplex waits for every receiver); seen behind a slow port of the lab",
    ),
    "net.loss": Entry(
        WARNING,
        "Part of the stream is lost on the way to a receiver, so it is sent again and everything takes longer.",
        "A bad cable or port, a full link, or a switch that limits multicast (storm control).",
        "Look at the error counters of the ports on the way, and at storm control.",
        False,
        None,
        "seen on the lab's bridge",
    ),
    "net.mtu.fragmentation": Entry(
        WARNING,
        "The packets of the stream are larger than an interface carries, so each is sent in fragments. It is an "
        "error where they are lost.",
        "An interface on the way has an MTU below 1500.",
        "Set the MTU of the interface to 1500.",
        False,
        None,
        "facts/fog.md section 2; a packet of udp-sender has 1500 bytes",
    ),
    "net.firewall.unread": Entry(
        INFO,
        "The firewall of a host that took part in a failed probe could not be judged in full.",
        "nft is not installed, may not be read, or its rules decide by something that a probe cannot know.",
        "Look at the rules by hand.",
        False,
        None,
        "how-it-decides.md, the probe",
    ),
    "net.receiver.absent": Entry(
        INFO,
        "A host that was to receive took no part in the probe. It is an error where none did.",
        "The host is switched off, Ansible cannot reach it, or the module could not be run there.",
        "Start the host, or take it out of multicast_probe_clients.",
        False,
        None,
        "how-it-decides.md, the probe",
    ),
    "net.probe.proven": Entry(
        INFO,
        "Data went over the wire to every receiver that took part, and arrived unchanged.",
        "Multicast works between these hosts.",
        "Nothing is to be done.",
        False,
        None,
        "how-it-decides.md, the probe",
    ),
    "net.probe.out_of_reach": Entry(
        INFO,
        "Whether a repaired head node sends by multicast was not proven on the wire.",
        "Only a WDS client can receive what WDS sends.",
        "Deploy one compute node and look at its deployment log.",
        False,
        None,
        "how-it-decides.md, the probe",
    ),
    "net.probe.alone": Entry(
        INFO,
        "The probe was sent by the host to itself, so nothing is proven about the network.",
        "No receivers were given.",
        "Give hosts that can run udp-receiver as multicast_probe_clients.",
        False,
        None,
        "how-it-decides.md, the probe",
    ),
}  # type: Dict[str, Entry]
