# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From an action plugin to a :class:`Channel`: the host's own connection (winrm, psrp or ssh) carries everything.

So every credential that Ansible knows keeps working, and nothing is copied to the host.
"""

import inspect
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleAuthenticationFailure, AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.imaging.multicast.plugins.module_utils._wds import batch, winrs
from ansible_collections.imaging.multicast.plugins.module_utils._wds.channel import (
    Channel,
    ChannelError,
    DeniedError,
    LostError,
    Runner,
    ShellLimitError,
    UnreachableError,
)

WINRM, PSRP, SSH = "winrm", "psrp", ("ssh", "paramiko_ssh", "paramiko")

# Numbers and tokens of WS-Management: texts of Windows are localised. 0x803381A5 is the limit of shells per user.
_SHELL_LIMIT = re.compile(r"2150859173|-2144108123|0x803381A5|:QuotaLimit\b", re.IGNORECASE)
# Texts of ansible's plugins, pypsrp and ssh, which are not; 5 and AccessDenied come from WS-Management.
_DENIED = re.compile(
    r"credentials were rejected|failed to authenticate|Kerberos auth failure|Permission denied|Authentication failed"
    r"|Invalid/incorrect (?:username/)?password|\bCode:? 401\b|wsmanfault_code'?: '?5\b|\(Code: 5,|:AccessDenied\b",
    re.IGNORECASE,
)
# What pywinrm and pypsrp raise when a login fails on a connection that ansible's plugin has open.
_LOGIN_ERRORS = ("InvalidCredentialsError", "AuthenticationError")
_UNTRUSTED = re.compile(r"certificate.verify.failed|Hostname mismatch|doesn't match", re.IGNORECASE)
_NO_KDC = re.compile(r"Cannot (?:contact any|find) KDC", re.IGNORECASE)
# Said by ssh before a session is open.
_SSH_NEVER_OPEN = re.compile(
    r"ssh: connect to host|Could not resolve hostname|Connection refused|No route to host|banner exchange"
    r"|kex_exchange_identification|Host key verification failed|Unable to connect to port",
    re.IGNORECASE,
)
_SHOWN = 300
# PowerShell as sshd's default shell reads what the PowerShell that it starts prints, and prints it again.
_UTF_8 = "try{[Console]::OutputEncoding=New-Object Text.UTF8Encoding $false}catch{};"


def channel(action: ActionBase, task_vars: Mapping[str, Any]) -> Channel:
    """The channel of the host that the task runs for.

    A host that cannot be reached at the first question, or refuses the credentials, raises AnsibleConnectionFailure,
    so that Ansible calls it unreachable; what goes wrong later raises a ChannelError.

    :raises AnsibleActionFail: the connection cannot serve, or become is set.
    """
    _refuse_become(action)
    return _FirstContact(_AnsibleRunner(action, str(task_vars.get("inventory_hostname", "the host"))))


def tell(line: str) -> None:
    """Show a line of progress while a task runs."""
    Display().display(line)


class _FirstContact(Channel):
    _answered = False

    def run(self, items: Sequence[batch.Item]) -> dict[str, batch.Answer]:
        """As :meth:`Channel.run`."""
        try:
            answers = super().run(items)
        except (UnreachableError, DeniedError, ShellLimitError) as error:
            if self._answered:
                raise
            raise AnsibleConnectionFailure(str(error)) from None
        self._answered = True
        return answers


class _AnsibleRunner(Runner):
    """Over the connection plugin of a task. (facts/windows.md section 8)"""

    def __init__(self, action: ActionBase, host: str) -> None:
        self._action = action
        self._connection = action._connection
        self._kind = str(self._connection.transport).rsplit(".", 1)[-1]
        self.where = f"{host} ({self._kind})"
        self.has_cmd = self._kind == WINRM
        if self._kind in SSH:
            if not getattr(self._connection._shell, "_IS_WINDOWS", False):
                raise AnsibleActionFail(
                    f"{self.where}: over ssh, set ansible_shell_type to the head node's shell, cmd or powershell."
                )
        elif self._kind not in (WINRM, PSRP):
            raise AnsibleActionFail(
                f"{self.where}: a head node is reached over winrm, psrp or ssh; set ansible_connection to one of them."
            )
        if self._kind == PSRP and str(self._connection.get_option("configuration_name")).startswith("PowerShell."):
            # It knows no Get-WmiObject, and hands arguments to programs in another way.
            raise AnsibleActionFail(
                f"{self.where}: PowerShell 6 and newer cannot be used; set ansible_psrp_configuration_name to "
                "Microsoft.PowerShell, which is Windows PowerShell."
            )
        # In psrp a script never becomes a command line.
        self.limit = None if self._kind == PSRP else batch.longest_script()

    def powershell(self, script: str) -> str:
        """As :meth:`Runner.powershell`."""
        text = script
        if self._kind in SSH and not _wraps(self._connection):
            text = (_UTF_8 if self._connection._shell.SHELL_FAMILY == "powershell" else "") + batch.encoded(script)
        self._connect()
        try:
            # Without become there is nothing to ask for on a terminal.
            return str(self._action._low_level_execute_command(text, sudoable=False)["stdout"])
        except Exception as error:
            raise self._broken(error) from None

    def cmd(self, line: str) -> str:
        """As :meth:`Runner.cmd`."""
        self._connect()
        try:
            return winrs.execute(self._connection, line)
        except Exception as error:
            raise self._broken(error) from None

    def forget(self) -> None:
        """As :meth:`Runner.forget`."""
        # Close what can still be closed: a shell that is left open counts towards MaxShellsPerUser.
        with suppress(Exception):
            _log_in_anew(self._connection)
            if self._kind in SSH:
                self._connection.reset()
            else:
                self._connection.close()
        self._drop()

    def _drop(self) -> None:
        # A close that failed leaves the plugin with a connection that the host no longer knows.
        for name in ("protocol", "shell_id", "runspace", "_last_pipeline"):
            if hasattr(self._connection, name):
                setattr(self._connection, name, None)
        self._connection._connected = False

    def _connect(self) -> None:
        if self._connection.connected:
            return
        try:
            self._connection._connect()
        except AnsibleConnectionFailure as error:
            raise self._never_open(error) from None
        except AnsibleError as error:
            # winrm says so of a host that lets packets vanish; others are mistakes of the set-up: Ansible's to tell.
            if "timed out" not in str(error):
                raise
            raise self._never_open(error) from None
        except (AttributeError, LookupError, TypeError):
            # A mistake in a program is not the host's silence.
            raise
        except Exception as error:
            raise self._never_open(error) from None

    def _never_open(self, error: Exception) -> ChannelError:
        refused = self._refused(error)
        if _UNTRUSTED.search(str(error)):
            return UnreachableError(
                f"{self.where} cannot be trusted ({_reason(error)}): nothing was sent. Give the authority that signed "
                "its certificate (ansible_winrm_ca_trust_path, ansible_psrp_ca_cert), or correct the certificate."
            )
        return refused or UnreachableError(
            f"{self.where} cannot be reached ({_reason(error)}): is it on, does the address and the port answer, and "
            "does its firewall let this controller in?"
        )

    def _broken(self, error: Exception) -> ChannelError:
        text = str(error)
        if isinstance(error, AnsibleConnectionFailure) and self._kind in SSH:
            refused = self._refused(error)
            if refused or _SSH_NEVER_OPEN.search(text):
                return refused or self._never_open(error)
        # A connection that opened again underneath (winrm does so for a full shell) may be refused as well.
        login = isinstance(error, AnsibleConnectionFailure) or type(error).__name__ in _LOGIN_ERRORS
        if login and _DENIED.search(text):
            # To close the shell would be one more login.
            self._drop()
            return self._never_open(error)
        # Whoever asks again, to see what was done, has to ask over a new connection.
        self.forget()
        return LostError(_reason(error))

    def _refused(self, error: Exception) -> ChannelError | None:
        text = str(error)
        if _SHELL_LIMIT.search(text):
            return ShellLimitError(
                f"{self.where} opens no more shells for this user (MaxShellsPerUser): lower forks or throttle, close "
                "other sessions of the user, or raise the limit on the host; nothing was sent."
            )
        if _NO_KDC.search(text):
            return None
        if isinstance(error, AnsibleAuthenticationFailure) or _DENIED.search(text):
            return DeniedError(
                f"{self.where} refused the credentials ({_reason(error)}): correct ansible_user and ansible_password; "
                "it was tried once, so that no account is locked. Old hosts say the same when the user has too "
                "many shells open (MaxShellsPerUser): then lower forks."
            )
        return None


def _refuse_become(action: ActionBase) -> None:
    task, context = action._task, action._play_context
    if task.become or context.become or action._connection.become:
        raise AnsibleActionFail(
            "become does nothing for the commands that this module sends: set become: false (ansible_become: false) "
            "for it, and connect as a user who is an administrator of the head node."
        )


def _log_in_anew(connection: Any) -> None:
    """Have the next request of winrm or psrp log in: a session whose socket broke has lost its keys."""
    for owner in (getattr(connection, "protocol", None), getattr(connection, "runspace", None)):
        client = getattr(owner, "connection", owner)
        if client is not None:
            client.transport.session = client.transport.encryption = None


def _wraps(connection: Any) -> bool:
    """Whether this ansible-core's ssh plugin encodes a script for Windows itself, as all before 2.19 do.

    Encoded twice, about 1,100 characters would fit into a command line. (facts/windows.md section 8.3 and 8.4)
    """
    return "_encode_script" in inspect.unwrap(type(connection).exec_command).__code__.co_names


def _reason(error: Exception) -> str:
    words = " ".join(str(error).split()) or type(error).__name__
    return words if len(words) <= _SHOWN else words[:_SHOWN] + "..."
