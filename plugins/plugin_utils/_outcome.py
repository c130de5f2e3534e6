# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the flow of an action plugin becomes its result."""

from collections.abc import Callable
from typing import Any

from ansible_collections.imaging.multicast.plugins.module_utils._flow import Failure
from ansible_collections.imaging.multicast.plugins.module_utils._wds.channel import ChannelError


def outcome(flow: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What a flow returns; of a foreseeable problem, one sentence with what was done until then.

    Ansible's own errors pass through: a host that was never reached stays unreachable.
    """
    try:
        return flow()
    except Failure as error:
        return dict(error.result, failed=True, msg=str(error))
    except ChannelError as error:
        return {"failed": True, "msg": str(error)}
