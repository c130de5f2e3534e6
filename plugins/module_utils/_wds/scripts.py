# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fixed PowerShell texts, for Windows PowerShell 2.0. Values are filled in as literals of :mod:`names`.

A script is plain statements on few lines. Whatever ends it early is caught around it (:mod:`batch`), which prints
``error`` and the HRESULT: a number, the same in every language.
"""

from typing import List, Sequence, Tuple

from . import batch, names
from .batch import Command, Script

# What a script with one of these keys, or a key that goes on with a dot, does is reading only.
LIVE = "live"
BOOT = "boot"
DEPLOYMENTS = "deployments"

# The boot identity where there is no PowerShell.
#: Logs of each compute node that are searched: the newest may hold no line of CcpImg.
NEWEST = 3

BOOT_COMMAND = Command(BOOT, "wmic.exe", ("os", "get", "LastBootUpTime", "/value"))

_ENCODE = "function b($v){if($v){[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($v))}else{'-'}}"
_BOOT = "'boot '+(Get-WmiObject Win32_OperatingSystem).LastBootUpTime"

# The COM view (facts/windows.md section 4). Without a provider and a name RetrieveNamespaces returns every namespace;
# the third argument asks for those that are removed but still serve a client.
_LIVE = "\n".join(
    [
        "'ps '+$PSVersionTable.PSVersion",
        _BOOT,
        _ENCODE,
        "$s=(New-Object -ComObject WdsTptMgmt.WdsTransportManager).GetWdsTransportServer('localhost')",
        "'features '+$s.SetupManager.InstalledFeatures",
        "'running '+$s.ConfigurationManager.WdsTransportServicesRunning",
        "$c=$s.NamespaceManager.RetrieveNamespaces('','',$true)",
        "'count '+$c.Count",
        "for($i=1;$i -le $c.Count;$i++){$m=$c.Item($i)",
        "'ns '+(b $m.Name)+' '+(b $m.ContentProvider)+' '+(b $m.Configuration)+' '+(b $m.FriendlyName)+' '"
        "+(b $m.Description)+' '+$m.Type+' '+$m.Registered+' '+$m.Tombstoned+' '+$m.TransmissionStarted}",
    ]
)

# findstr.exe is called with many files at once: a process for each of 2,000 logs would take a minute. NUL as the
# first file makes it name the file on each line also when there is only one. A line that names no file of the call
# (its name came back in another codepage) is left out.
_DEPLOYMENTS = "\n".join(
    [
        _ENCODE,
        "$t=[DateTime]::UtcNow.AddDays(-%(days)d);$left=%(limit)d;$o=@();$s=''",
        "foreach($d in @(%(folders)s)){if(Test-Path -LiteralPath $d){",
        "foreach($k in @(Get-ChildItem -LiteralPath $d|?{$_.PSIsContainer})){",
        "$o+=@(Get-ChildItem -LiteralPath $k.FullName -Recurse|?{-not $_.PSIsContainer -and $_.LastWriteTimeUtc -ge $t}"
        "|Sort-Object LastWriteTimeUtc -Descending|Select-Object -First %(newest)d)}",
        "}else{'absent '+(b $d)}}",
        "$o=@($o|Sort-Object LastWriteTimeUtc -Descending);'files '+$o.Count",
        "for($i=0;$i -lt $o.Count -and $left -gt 0;$i+=50){",
        "$q=@($o[$i..($i+49)]);$a=@('/n','/i','/c:-namespace:','/c:robocopy','/c:usage:',"
        "'/c:Multicast Failed with Exit Code','NUL');foreach($f in $q){$a+=$f.FullName}",
        "$k=0;$z=-1",
        "foreach($l in @(& findstr.exe $a)){if($left -gt 0){",
        "$j=$k;while($j -lt $q.Count -and -not $l.StartsWith($q[$j].FullName+':')){$j++}",
        "if($j -lt $q.Count){$k=$j;$f=$q[$k]",
        "if($k -ne $z){$z=$k;$w='|'+$f.DirectoryName+'|';$g=$s.Contains($w);if(-not $g){",
        "$h='file '+(b $f.FullName)+' '+$f.LastWriteTimeUtc.ToString('s')+'Z';$left-=$h.Length;$h}}",
        "if(-not $g){$v=$l.Substring($f.FullName.Length+1) -replace '-(user|password):(\"[^\"]*\"|\\S+)','-$1:***'",
        "if($v.Contains('-namespace:')){$s+=$w}",
        "$left-=$v.Length;if($left -gt 0){$v}else{'cut'}}}}}}",
    ]
)

# Server 2012 and newer (facts/windows.md section 6). ExitCode is an enumeration with the numbers of ServerManagerCmd.
_FEATURE = "\n".join(
    [
        "$ProgressPreference='SilentlyContinue'",
        "Import-Module ServerManager -ErrorAction Stop",
        "$r=%s -ErrorAction Stop",
        "'success '+$r.Success",
        "'exit '+[int]$r.ExitCode",
        "'restart '+$r.RestartNeeded",
    ]
)


def live() -> Script:
    """What Windows Deployment Services itself says.

    Lines: ``ps 5.1.17763.1``, ``boot 20261122001500.500000+060``, ``features 2``, ``running True``, ``count 1``, then
    for each namespace ``ns NAME PROVIDER CONFIGURATION FRIENDLY DESCRIPTION TYPE REGISTERED TOMBSTONED STARTED`` with
    the first five in base64 of UTF-8, ``-`` for an empty one. ``error -2147221164`` where it ended early.
    """
    return Script(LIVE, _LIVE)


def boot() -> Script:
    """The boot identity alone: the line ``boot 20261122001500.500000+060``."""
    return Script(BOOT, _BOOT)


def deployments(folders: Sequence[str], days: int, limit: int) -> Tuple[Script, ...]:
    """The telling lines of the newest deployment logs of each compute node, the newest first.

    In a folder, what is older than the newest log with a line of CcpImg is left out.

    Lines: ``files 12`` (logs looked at), ``file PATH 2009-09-16T15:21:33Z`` (path in base64 of UTF-8), then
    ``NUMBER:TEXT`` for each line of it, ``absent PATH`` for a folder that is not there, ``cut`` at the limit. Values of
    ``-user:`` and ``-password:`` are masked on the host.

    More folders than one command line takes are shared out to several scripts, each with its share of the limit.

    :param folders: folders that hold one folder for each compute node.
    :param days: logs written before that many days are left out.
    :param limit: characters after which no more lines of logs come back, their headers counted, line ends not.
    :raises names.ValueRefused: a folder is not an absolute path.
    """
    groups: List[List[str]] = []
    for folder in folders:
        text = names.powershell(names.folder(folder))
        if groups and batch.fits(_logs(len(groups), [*groups[-1], text], days, limit)):
            groups[-1].append(text)
        else:
            groups.append([text])
    share = limit // max(len(groups), 1)
    return tuple(_logs(number, group, days, share) for number, group in enumerate(groups, 1))


def _logs(number: int, folders: Sequence[str], days: int, limit: int) -> Script:
    values = {"days": int(days), "limit": int(limit), "newest": NEWEST, "folders": ",".join(folders)}
    return Script("%s.%d" % (DEPLOYMENTS, number), _DEPLOYMENTS % values)


def remove_feature() -> Script:
    """Remove Windows Deployment Services on Server 2012 or newer.

    Lines: ``success True``, ``exit 3010``, ``restart Yes``.
    """
    return Script("feature", _FEATURE % "Uninstall-WindowsFeature WDS")


def install_feature() -> Script:
    """Install the Transport Server on Server 2012 or newer. Lines as of :func:`remove_feature`."""
    return Script("feature", _FEATURE % "Install-WindowsFeature WDS-Transport")
