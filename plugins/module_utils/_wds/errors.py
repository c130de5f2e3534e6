# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the wire to a head node can end in. Each text is one sentence: what, where, what to do."""


class ChannelError(Exception):
    """The host could not be asked. ``str()`` is one sentence for a person."""


class UnreachableError(ChannelError):
    """No connection was opened: nothing was sent."""


class DeniedError(ChannelError):
    """The host refused the credentials. Never tried again: each attempt counts towards a lock-out."""


class ShellLimitError(ChannelError):
    """The user has as many shells open as the host allows (MaxShellsPerUser). (facts/windows.md section 8.11)"""


class LostError(ChannelError):
    """The connection broke after something was sent; the sentence says whether a write may have been done."""


class FrameError(ChannelError):
    """The host answered, but not with whole frames: what was done is not known."""


class UnsendableError(ChannelError):
    """A command cannot be sent unchanged. Raised before anything is sent."""
