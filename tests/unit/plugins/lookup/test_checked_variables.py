# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The check of a role's variables; that it fails a host before the look is seen by the tests of the playbooks."""

import pytest
from ansible.errors import AnsibleLookupError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.imaging.multicast.plugins.lookup.checked_variables import LookupModule


def check(role, **variables):
    return LookupModule(templar=Templar(loader=DataLoader(), variables=variables)).run([role], variables)


@pytest.mark.parametrize("role", ["fog_multicast", "wds_multicast", "multicast_report"])
def test_a_role_without_variables_is_right(role):
    assert check(role, other="x") == [True]


def test_values_that_can_be_converted_are_right():
    assert check("fog_multicast", fog_multicast_stale_after="60", fog_multicast_allow_restart="yes") == [True]


def test_every_wrong_variable_is_named():
    with pytest.raises(AnsibleLookupError) as told:
        check("fog_multicast", fog_multicast_stale_after="soon", fog_multicast_method="purge", fog_multicast_probe=7)
    for name in ("fog_multicast_stale_after", "fog_multicast_method", "fog_multicast_probe"):
        assert name in str(told.value)


def test_a_password_is_not_told():
    with pytest.raises(AnsibleLookupError) as told:
        check("fog_multicast", fog_multicast_login_password="hunter2-hunter2", fog_multicast_stale_after="soon")
    assert "hunter2" not in str(told.value)


def test_a_role_that_is_none():
    with pytest.raises(AnsibleLookupError, match="nowhere is no role of this collection"):
        check("nowhere")
