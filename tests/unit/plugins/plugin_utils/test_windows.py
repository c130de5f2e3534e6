# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From an action plugin to a channel, over ansible's own connection plugins: the wire traps of facts/windows.md.

The plugins are the installed ansible-core's; only what they would send over the network is taken from them.
"""

import base64
import os
import re
import sys
from unittest.mock import MagicMock

import pytest
from ansible.errors import (
    AnsibleActionFail,
    AnsibleAuthenticationFailure,
    AnsibleConnectionFailure,
    AnsibleError,
)
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import connection_loader
from ansible_collections.imaging.multicast.plugins.module_utils._wds import batch, scripts
from ansible_collections.imaging.multicast.plugins.module_utils._wds.batch import Command
from ansible_collections.imaging.multicast.plugins.module_utils._wds.channel import (
    ChannelError,
    DeniedError,
    FrameError,
    LostError,
    ShellLimitError,
    UnreachableError,
)
from ansible_collections.imaging.multicast.plugins.plugin_utils import _windows
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._wds.wire import OBSERVATION, framed

READ = Command("wds", "sc.exe", ("query", "WDSServer"))
WRITE = Command("new", "wdsutil.exe", ("/New-Namespace", "/Namespace:HN1-CCP"))
PREFIX = "PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand "
SECRET = "Marker-Passw0rd-4711"
FAULT = (
    "{text} (extended fault data: {{'transport_message': 'Bad HTTP response returned from server. Code 500', "
    "'http_status_code': 500, 'wsmanfault_code': '{code}', 'fault_code': 's:{who}', 'fault_subcode': 'w:{what}'}})"
)
CLIXML = b'#< CLIXML\r\n<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04"></Objs>'


def decoded(line):
    """The script of one encoded command line."""
    assert line.lower().startswith(PREFIX.lower()), line[:200]
    return base64.b64decode(line[len(PREFIX) :]).decode("utf-16-le")


class Head:
    """A head node behind a connection: its answers by key, and what it is to do with the next texts."""

    def __init__(self):
        self.answers = {"where": (0, ""), "engine": (0, "REG_SZ 2.0")}
        self.scripts = []
        self.lines = []
        self.opened = 0
        self.closed = 0
        self.refusals = []  # exceptions of the next connections, one each
        self.faults = []  # for the next texts: None, an exception, or a function of the output as bytes
        self.present = True

    def open(self):
        self.opened += 1
        if self.refusals:
            raise self.refusals.pop(0)

    def script(self, text):
        self.scripts.append(text)
        return self._output(framed(text, self.answers) if self.present else "")

    def line(self, text):
        self.lines.append(text)
        return self._output(framed(text, self.answers))

    def _output(self, text):
        output = text.encode("utf-8")
        faults = self.faults[:1]
        del self.faults[:1]
        for fault in faults:
            if isinstance(fault, Exception):
                raise fault
            output = fault(output) if fault else output
        return output


@pytest.fixture
def head():
    return Head()


def plugin(kind, options, shell=None):
    """A connection plugin of the installed ansible-core."""
    context = PlayContext()
    context.shell = shell
    connection = connection_loader.get(kind, context, os.devnull)
    connection.set_options(var_options=dict(options, _extras={}))
    return connection, sys.modules[type(connection).__module__]


@pytest.fixture
def winrm(head, monkeypatch):
    pytest.importorskip("winrm", reason="pywinrm is not installed for this Python")

    class Protocol:
        def __init__(self, endpoint, transport=None, **options):
            self.endpoint, self.options, self.transport = endpoint, options, MagicMock()

        def open_shell(self, codepage=437):
            assert codepage == 65001
            head.open()
            return "S1"

        def close_shell(self, shell_id, close_session=True):
            head.closed += 1

        def run_command(self, shell_id, command, arguments=(), console_mode_stdin=True, skip_cmd_shell=False):
            words = [word.decode() if isinstance(word, bytes) else word for word in (command, *arguments)]
            if skip_cmd_shell:
                assert words[:4] == ["cmd.exe", "/v:on", "/s", "/c"]
                self.output = head.line(words[4][1:-1])
            else:
                assert len(" ".join(words)) <= 8191
                self.output = head.script(decoded(" ".join(words)))
            return "C1"

        def get_command_output(self, shell_id, command_id):
            return self.output, CLIXML, 1

        def get_command_output_raw(self, shell_id, command_id):
            raise AssertionError("not faked")

        def cleanup_command(self, shell_id, command_id):
            pass

    connection, module = plugin("winrm", {"ansible_host": "hn1", "ansible_user": "u", "ansible_password": SECRET})
    monkeypatch.setattr(module, "Protocol", Protocol)
    monkeypatch.setattr(
        type(connection),
        "_winrm_get_command_output",
        lambda self, protocol, shell_id, command_id, try_once=False: protocol.get_command_output(shell_id, command_id),
    )
    return connection


@pytest.fixture
def psrp(head, monkeypatch):
    pytest.importorskip("pypsrp", reason="pypsrp is not installed for this Python")

    class Pool:
        def __init__(self, connection, **options):
            self.state, self.id, self.connection = 2, "R1", MagicMock()

        def open(self):
            head.open()

        def close(self):
            head.closed += 1

    class Shell:
        had_errors = False

        def __init__(self, runspace):
            self.streams = MagicMock(error=[])

        def add_script(self, script, use_local_scope=True):
            self.script = script

        def invoke(self, input=None):
            assert self.script.endswith("\nexit $LASTEXITCODE")
            # psrp brings .NET strings: whatever was no UTF-8 is U+FFFD already.
            self.output = head.script(self.script).decode("utf-8", "replace").split("\r\n")

        def stop(self):
            pass

    connection, module = plugin("psrp", {"ansible_host": "hn1", "ansible_user": "u", "ansible_password": SECRET})
    for name, fake in (("WSMan", MagicMock()), ("RunspacePool", Pool), ("PowerShell", Shell)):
        monkeypatch.setattr(module, name, fake)
    return connection


def remote_script(command):
    """The script in what ssh sends, once decoded; in front of it the encoding, which ansible-core sets before 2.19."""
    own = r"try\{\[Console\]::OutputEncoding=New-Object Text\.UTF8Encoding \$false\}catch\{\};"
    return decoded(re.sub(rf"^(?:chcp\.com 65001 (?:> \$null ;|> ?nul.*?&&) |{own})", "", command))


def fake_ssh(head, monkeypatch, shell):
    connection, _module = plugin("ssh", {"ansible_host": "hn1", "ansible_user": "u"}, shell)
    wraps = _windows._wraps(connection)

    def run(command, in_data, sudoable=True, checkrc=True):
        head.open()
        words = [word.decode() if isinstance(word, bytes) else word for word in command]
        assert "-tt" not in words
        assert len(words[-1]) <= 8191
        # Ansible sets it for both shells; cmd.exe passes on what PowerShell prints as it is.
        assert ("chcp.com 65001" in words[-1] or "UTF8Encoding" in words[-1]) == (shell == "powershell" or wraps)
        return 0, head.script(remote_script(words[-1])), CLIXML

    monkeypatch.setattr(connection, "_run", run)
    monkeypatch.setattr(connection, "reset", lambda: setattr(head, "closed", head.closed + 1))
    return connection


@pytest.fixture
def ssh(head, monkeypatch):
    return fake_ssh(head, monkeypatch, "powershell")


@pytest.fixture
def ssh_cmd(head, monkeypatch):
    return fake_ssh(head, monkeypatch, "cmd")


class Plain:
    """A connection of no kind in particular, for what must hold also where no pywinrm is installed."""

    transport = "winrm"
    allow_executable = False
    become = None

    def __init__(self, head):
        self.head = head
        self._connected = False
        self._shell = MagicMock(_IS_WINDOWS=True)
        self.protocol = self.shell_id = None

    @property
    def connected(self):
        return self._connected

    def _connect(self):
        self.head.open()
        self._connected = True

    def exec_command(self, cmd, in_data=None, sudoable=True):
        assert sudoable is False
        return 0, self.head.script(cmd), CLIXML

    def close(self):
        self.head.closed += 1


@pytest.fixture
def plain(head):
    return Plain(head)


@pytest.fixture(params=["winrm", "psrp", "ssh", "ssh_cmd", "plain"])
def any_connection(request):
    return request.getfixturevalue(request.param)


class Action(ActionBase):
    """The least an action plugin is."""

    def run(self, tmp=None, task_vars=None):
        raise NotImplementedError


def action_of(connection, **become):
    task = MagicMock(Task, become=become.get("task", False), async_val=0, check_mode=False)
    context = PlayContext()
    context.become = become.get("play", False)
    connection.become = become.get("plugin")
    return Action(task, connection, context, MagicMock(), None, MagicMock())


def channel(connection, **become):
    return _windows.channel(action_of(connection, **become), {"inventory_hostname": "hn1"})


def test_the_observation_is_one_script_over_any_connection(any_connection, head):
    answers = channel(any_connection).run([*OBSERVATION, scripts.live()])
    assert len(head.scripts) == 1
    assert answers["wds"].output == "answer to wds"
    assert list(answers) == [*(item.key for item in OBSERVATION), "live"]


def test_what_stands_before_a_script_over_ssh_is_powershell_too():
    from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._wds import test_scripts

    text = _windows._UTF_8 + batch.encoded("'a'")
    assert test_scripts.faults(text) == []
    assert test_scripts.texts(text, "command_name") == {"New-Object", "PowerShell"}
    assert test_scripts.texts(text, "type_literal") <= test_scripts.TYPES
    assert test_scripts.faults("{" + text)


def test_exit_codes_come_from_stdout(any_connection, head):
    # The code of the connection is 0 or 1 whatever the program said: facts/windows.md section 8.2.
    head.answers["wds"] = (1060, "")
    assert channel(any_connection).run([READ])["wds"].code == 1060


def test_the_error_stream_decides_nothing(any_connection, head):
    # Every fake connection writes CLIXML there: facts/windows.md section 8.7.
    assert channel(any_connection).run([READ])["wds"].code == 0


def test_hostile_output_stays_output(any_connection, head):
    head.answers["wds"] = (0, "#" + "f" * 32 + " } 5 wds\r\n" + CLIXML.decode() + "\r\n" + "x" * 2000000)
    head.faults = [lambda output: b"\xff\xfebanner\r\n" + output + b"\r\n\xc3"]
    answer = channel(any_connection).run([READ])["wds"]
    assert answer.code == 0
    assert len(answer.output) > 2000000


def test_bytes_that_are_no_utf8_can_be_reported(any_connection, head):
    head.faults = [lambda output: output.replace(b"answer to", b"K\xf6ln")]
    assert channel(any_connection).run([READ])["wds"].output.encode("utf-8") == "K\ufffdln wds".encode()


def test_one_shell_serves_many_scripts(any_connection, head):
    asked = channel(any_connection)
    asked.run([READ])
    asked.run([READ])
    assert len(head.scripts) == 2
    assert head.opened == (2 if any_connection.transport == "ssh" else 1)


@pytest.mark.parametrize("kind", ["winrm", "ssh", "ssh_cmd"])
def test_a_long_batch_is_split_to_fit_a_command_line(kind, request, head):
    connection = request.getfixturevalue(kind)
    items = [Command(f"k{number}", "reg.exe", ("query", "HKLM\\" + "v" * 500)) for number in range(20)]
    assert list(channel(connection).run(items)) == [item.key for item in items]
    assert len(head.scripts) > 3


def test_psrp_has_no_command_line(psrp, head):
    items = [Command(f"k{number}", "reg.exe", ("query", "HKLM\\" + "v" * 500)) for number in range(20)]
    channel(psrp).run(items)
    assert len(head.scripts) == 1


def test_winrm_gets_the_plain_script(plain, head):
    # An encoded one would be encoded again by ansible-core before 2.19: facts/windows.md section 8.3.
    channel(plain).run([READ])
    assert head.scripts[0].startswith("$ErrorActionPreference='Continue'")


@pytest.mark.parametrize("wraps", [True, False])
def test_ssh_gets_it_encoded_unless_ansible_encodes_it(head, wraps):
    class As217(Plain):
        transport = "ssh"

        def exec_command(self, cmd, in_data=None, sudoable=True):
            return super().exec_command(decoded(self._shell._encode_script(cmd)), in_data, sudoable)

    class As219(Plain):
        transport = "ssh"

        def exec_command(self, cmd, in_data=None, sudoable=True):
            return super().exec_command(decoded(cmd), in_data, sudoable)

    connection = (As217 if wraps else As219)(head)
    connection._shell._encode_script = batch.encoded
    assert channel(connection).run([READ])["wds"].code == 0
    assert head.scripts[0].startswith("$ErrorActionPreference='Continue'"), "encoded once, not twice"


@pytest.mark.parametrize("become", [{"task": True}, {"play": True}, {"plugin": MagicMock()}])
def test_become_is_refused_wherever_it_is_set(any_connection, head, become):
    # It would be silently ignored: facts/windows.md section 8.6.
    with pytest.raises(AnsibleActionFail, match="set become: false"):
        channel(any_connection, **become)
    assert not head.scripts
    assert not head.opened


@pytest.mark.parametrize("kind", ["local", "docker", "community.general.lxc"])
def test_another_kind_of_connection_is_refused(plain, kind):
    plain.transport = kind
    with pytest.raises(AnsibleActionFail, match=r"hn1 \(\w+\): a head node is reached over winrm, psrp or ssh"):
        channel(plain)


def test_psrp_needs_windows_powershell(psrp):
    psrp.set_option("configuration_name", "PowerShell.7")
    with pytest.raises(AnsibleActionFail, match="ansible_psrp_configuration_name"):
        channel(psrp)


def test_ssh_needs_to_know_that_it_is_windows(plain):
    plain.transport, plain._shell = "ssh", MagicMock(_IS_WINDOWS=False)
    with pytest.raises(AnsibleActionFail, match="ansible_shell_type"):
        channel(plain)


def test_a_fully_named_plugin_is_known(plain, head):
    plain.transport = "ansible.builtin.winrm"
    assert channel(plain).where == "hn1 (winrm)"


def refused(connection, head, error):
    """What becomes of a connection that is refused at the first question, and at a later one."""
    head.refusals = [error]
    with pytest.raises(AnsibleConnectionFailure) as caught:
        channel(connection).run([READ])
    assert head.opened == 1, "one attempt"
    assert SECRET not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", ["winrm", "plain"])
@pytest.mark.parametrize(
    "error",
    [
        AnsibleConnectionFailure("ssl: HTTPSConnectionPool(host='hn1'): Connection refused"),
        AnsibleConnectionFailure("kerberos: Kerberos auth failure for principal u: Cannot contact any KDC"),
        OSError("No route to host"),
        AnsibleError("the connection attempt timed out"),
        AnsibleError("Operation timed out"),
    ],
)
def test_a_host_that_does_not_answer_is_unreachable(kind, request, head, error):
    text = refused(request.getfixturevalue(kind), head, error)
    assert text.startswith("hn1 (winrm) cannot be reached (")


@pytest.mark.parametrize("kind", ["winrm", "plain"])
@pytest.mark.parametrize(
    "error",
    [
        AnsibleConnectionFailure("ssl: the specified credentials were rejected by the server"),
        AnsibleConnectionFailure("Kerberos auth failure for principal u: Password incorrect"),
        AnsibleConnectionFailure(FAULT.format(text="Zugriff verweigert", code=5, who="Sender", what="AccessDenied")),
        AnsibleConnectionFailure("Received a WSManFault message. (Code: 5, Machine: hn1, Reason: Zugriff verweigert)"),
    ],
)
def test_refused_credentials_are_tried_once(kind, request, head, error):
    text = refused(request.getfixturevalue(kind), head, error)
    assert text.startswith("hn1 (winrm) refused the credentials (")
    assert "MaxShellsPerUser" in text


def test_ansibles_own_word_for_refused_credentials_is_enough(plain, head):
    assert "refused the credentials" in refused(plain, head, AnsibleAuthenticationFailure("anything"))


@pytest.mark.parametrize("kind", ["winrm", "psrp", "plain"])
def test_no_more_shells_is_not_called_a_wrong_password(kind, request, head):
    # The text is localised, the number is not. (facts/windows.md section 8.11)
    error = AnsibleConnectionFailure(
        FAULT.format(text="アクセスが拒否されました", code=2150859173, who="Receiver", what="QuotaLimit")
    )
    text = refused(request.getfixturevalue(kind), head, error)
    assert "opens no more shells" in text
    assert "MaxShellsPerUser" in text


@pytest.mark.parametrize("error", [KeyError("_extras"), TypeError("x"), AttributeError("x")])
def test_a_mistake_in_a_program_is_not_called_silence(plain, head, error):
    head.refusals = [error]
    with pytest.raises(type(error)):
        channel(plain).run([READ])


def test_a_certificate_that_is_not_trusted_is_told(plain, head):
    error = AnsibleConnectionFailure("ssl: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed")
    text = refused(plain, head, error)
    assert text.startswith("hn1 (winrm) cannot be trusted (ssl: ")
    assert "ansible_winrm_ca_trust_path" in text


def test_a_mistake_of_the_set_up_stays_ansibles_to_tell(plain, head):
    head.refusals = [AnsibleError("winrm or requests is not installed")]
    with pytest.raises(AnsibleError, match="not installed") as caught:
        channel(plain).run([READ])
    assert not isinstance(caught.value, AnsibleConnectionFailure)


def test_psrp_refusals(psrp, head):
    from pypsrp.exceptions import AuthenticationError, WinRMTransportError

    assert "refused the credentials" in refused(psrp, head, AuthenticationError("Failed to authenticate the user u"))
    head.opened = 0
    channel(psrp)._runner.forget()  # the plugin keeps a pool that never opened
    assert "cannot be reached" in refused(psrp, head, WinRMTransportError("http", 503, "busy"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ssh: connect to host hn1 port 22: Connection refused", "cannot be reached"),
        ("ssh: connect to host hn1 port 22: Connection timed out", "cannot be reached"),
        ("ssh: Could not resolve hostname hn1", "cannot be reached"),
        ("u@hn1: Permission denied (publickey,password).", "refused the credentials"),
        ("Invalid/incorrect username/password. Skipping remaining 3 retries", "refused the credentials"),
    ],
)
def test_ssh_refusals(ssh, head, text, expected):
    error = AnsibleConnectionFailure("Failed to connect to the host via ssh: " + text)
    assert expected in refused(ssh, head, error)


def test_ssh_that_breaks_off_may_have_written(ssh, head):
    head.faults = [AnsibleConnectionFailure("Failed to connect to the host via ssh: Connection to hn1 closed.")]
    with pytest.raises(LostError, match=r"wdsutil.exe /New-Namespace may have been done or not"):
        channel(ssh).run([WRITE])


@pytest.mark.parametrize("error", [OSError("Connection aborted."), AnsibleConnectionFailure("winrm connection error")])
def test_a_connection_that_breaks_in_the_middle(any_connection, head, error):
    head.faults = [error]
    with pytest.raises(LostError) as caught:
        channel(any_connection).run([WRITE])
    assert "wdsutil.exe /New-Namespace may have been done or not: run again" in str(caught.value)
    assert "hn1" in str(caught.value)
    assert len(head.scripts) == 1, "nothing is sent again"
    assert head.closed == 1, "no shell is left behind"


def test_after_a_break_the_next_question_goes_over_a_new_connection(any_connection, head):
    asked = channel(any_connection)
    asked.run([READ])
    head.faults = [OSError("Connection aborted.")]
    with pytest.raises(LostError):
        asked.run([WRITE])
    assert asked.run([READ])["wds"].code == 0
    assert head.opened == (3 if any_connection.transport == "ssh" else 2)


@pytest.mark.parametrize("kind", ["winrm", "psrp"])
def test_a_shell_is_closed_by_a_new_login_when_its_session_broke(kind, request, head):
    # With message encryption the keys go with the socket: over the old session the host would answer 400.
    connection = request.getfixturevalue(kind)
    asked = channel(connection)
    asked.run([READ])
    client = connection.protocol if kind == "winrm" else connection.runspace.connection
    client.transport.session = client.transport.encryption = "of the broken socket"
    head.faults = [OSError("Connection aborted.")]
    with pytest.raises(LostError):
        asked.run([READ])
    assert (client.transport.session, client.transport.encryption) == (None, None)
    assert head.closed == 1


def test_after_the_first_answer_a_refusal_is_no_longer_unreachable(plain, head):
    asked = channel(plain)
    asked.run([READ])
    plain._connected = False
    for error, kind in (
        (AnsibleConnectionFailure("Connection refused"), UnreachableError),
        (AnsibleConnectionFailure("the specified credentials were rejected by the server"), DeniedError),
        (AnsibleConnectionFailure("0x803381A5"), ShellLimitError),
    ):
        head.refusals = [error]
        with pytest.raises(kind):
            asked.run([READ])


def test_a_shell_that_is_opened_anew_underneath_may_be_refused(plain, head):
    head.faults = [AnsibleConnectionFailure("the specified credentials were rejected by the server")]
    with pytest.raises(AnsibleConnectionFailure, match="refused the credentials"):
        channel(plain).run([READ])


@pytest.mark.parametrize("kind", ["InvalidCredentialsError", "AuthenticationError"])
def test_a_login_refused_on_an_open_connection_is_not_tried_again(plain, head, kind):
    # pywinrm's and pypsrp's own: the password was changed while the connection was open, as during a reboot.
    head.faults = [type(kind, (Exception,), {})("Failed to authenticate: the specified credentials were rejected")]
    plain.protocol, plain.shell_id = object(), "S1"
    with pytest.raises(AnsibleConnectionFailure, match="refused the credentials"):
        channel(plain).run([READ])
    # Closing the shell would be a login, also when ansible does it at the end of the task.
    assert head.closed == 0
    assert (plain.protocol, plain.shell_id, plain._connected) == (None, None, False)


def test_a_truncated_answer_is_an_error(any_connection, head):
    head.faults = [lambda output: output[:-3]]
    with pytest.raises(FrameError, match="is not whole"):
        channel(any_connection).run([READ])


def test_without_powershell_winrm_goes_through_cmd(winrm, head):
    head.present = False
    head.answers["where"] = (1, "")
    answers = channel(winrm).run([*OBSERVATION, scripts.live()])
    assert answers["live"].code is None
    assert answers["wds"].output == "answer to wds"
    assert len(head.lines) == 2
    assert head.opened == 1, "in the same shell"


@pytest.mark.parametrize("fault", [OSError("broken"), AnsibleConnectionFailure("winrm connection error")])
def test_the_cmd_shell_may_break_as_well(winrm, head, fault):
    head.present = False
    head.answers["where"] = (1, "")
    head.faults = [None, None, fault]
    with pytest.raises(LostError, match="may have been done or not"):
        channel(winrm).run([WRITE])


@pytest.mark.parametrize("kind", ["psrp", "ssh", "ssh_cmd"])
def test_without_powershell_there_is_no_other_way(kind, request, head):
    head.present = False
    with pytest.raises(FrameError, match=r"Windows PowerShell 2.0 or newer must be there"):
        channel(request.getfixturevalue(kind)).run([READ])


def quick(asked):
    """The channel with a clock that only sleeping moves."""
    now = [0.0]
    asked._clock = lambda: now[0]
    asked._sleep = lambda seconds: now.__setitem__(0, now[0] + seconds)
    return asked


BEFORE, AFTER = "20261122001500.500000+060", "20261122003000.500000+060"


def test_a_boot_is_waited_for_over_new_connections(any_connection, head):
    asked = quick(channel(any_connection))
    head.answers["boot"] = (0, "boot " + BEFORE)
    asked.run([READ])
    down = AnsibleConnectionFailure("Failed to connect to the host via ssh: ssh: connect to host hn1: refused")

    def last_words(output):
        head.answers["boot"] = (0, "boot " + AFTER)
        head.refusals = [down, down, down]
        raise OSError("Connection aborted.")

    head.faults = [None, last_words]
    told = []
    assert asked.await_boot(BEFORE, 600, told.append) == AFTER
    assert head.closed, "what was open is closed"
    asked.run([READ])


def test_waiting_ends_at_a_refused_password(any_connection, head):
    asked = quick(channel(any_connection))
    asked.run([READ])
    denied = AnsibleConnectionFailure(
        "u@hn1: Permission denied / the specified credentials were rejected by the server"
    )
    head.faults = [OSError("Connection aborted.")]
    opened = head.opened
    if any_connection.transport == "ssh":
        head.faults, head.refusals = [], [denied] * 5
    else:
        head.refusals = [denied] * 5
    with pytest.raises(DeniedError):
        asked.await_boot(BEFORE, 600, [].append)
    assert head.opened == opened + 1, "one attempt"


def test_forgetting_survives_a_connection_that_cannot_be_closed(plain, head, monkeypatch):
    def stuck():
        raise OSError("gone")

    monkeypatch.setattr(plain, "close", stuck)
    plain.protocol, plain.shell_id, plain._connected = object(), "S1", True
    channel(plain)._runner.forget()
    assert (plain.protocol, plain.shell_id, plain._connected) == (None, None, False)


def test_no_password_stands_in_any_sentence(winrm, head):
    head.faults = [OSError("broken")]
    with pytest.raises(ChannelError) as caught:
        channel(winrm).run([READ])
    assert SECRET not in str(caught.value)


def test_a_long_reason_is_cut(plain, head):
    head.refusals = [AnsibleConnectionFailure("x\n" * 5000)]
    with pytest.raises(AnsibleConnectionFailure) as caught:
        channel(plain).run([READ])
    assert len(str(caught.value)) < 600
    assert "\n" not in str(caught.value)


def test_progress_goes_to_the_display(monkeypatch):
    shown = []
    monkeypatch.setattr(_windows.Display, "display", lambda self, line: shown.append(line))
    _windows.tell("waiting")
    assert shown == ["waiting"]
