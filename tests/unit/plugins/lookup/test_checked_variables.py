# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The check of a role's variables; that it fails a host before the look is seen by the tests of the playbooks."""

import pytest
from ansible.errors import AnsibleLookupError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.imaging.multicast.plugins.lookup.checked_variables import LookupModule

try:
    from ansible.template import trust_as_template

    OMIT = {}
except ImportError:  # before ansible-core 2.19, which has no such variable any more

    def trust_as_template(text):
        return text

    OMIT = {"omit": "__omit_place_holder__0123456789"}

OMITTED = trust_as_template("{{ nowhere | default(omit) }}")


def check(*roles, **variables):
    variables.update(OMIT)
    return LookupModule(templar=Templar(loader=DataLoader(), variables=variables)).run(roles, variables)


@pytest.mark.parametrize("role", ["fog_multicast", "wds_multicast", "multicast_report"])
def test_a_role_without_variables_is_right(role):
    assert check(role, other="x") == [True]


def test_values_that_can_be_converted_are_right():
    """What ``-e key=value`` gives is always text."""
    assert check(
        "fog_multicast",
        fog_multicast_stale_after="60",
        fog_multicast_allow_restart="yes",
        fog_multicast_max_broken_percent="12.5",
        fog_multicast_login_db=7,
    ) == [True]


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("fog_multicast_probe_hosts", "client1", "fog_multicast_probe_hosts must be a list"),
        ("fog_multicast_probe_hosts", 7, "fog_multicast_probe_hosts must be a list"),
        ("multicast_probe_hosts", '["client1"]', "multicast_probe_hosts must be a list"),
        ("multicast_broken", '{"fog": {"hosts": 3, "of": 5}}', "multicast_broken must be a dictionary"),
        ("multicast_broken", '{"fog": 3}', "multicast_broken must be a dictionary"),
        ("multicast_broken", {"fog": 3}, "multicast_broken.fog must be a dictionary"),
        ("multicast_broken", {"wds": "hosts=3 of=5"}, "multicast_broken.wds must be a dictionary"),
        ("multicast_broken", {"foog": {"hosts": 3, "of": 5}}, "multicast_broken.foog"),
        ("multicast_broken", {"fog": {"hosts": 3, "off": 5}}, "multicast_broken.fog.off"),
        ("multicast_broken", {"fog": {"hosts": 3}}, "missing required arguments: of"),
        ("fog_multicast_settings", ["/opt/fog/.fogsettings"], "fog_multicast_settings must be a text"),
    ],
)
def test_what_the_roles_use_as_it_is_must_be_it(name, value, told):
    with pytest.raises(AnsibleLookupError) as error:
        check("fog_multicast", **{name: value})
    assert told in str(error.value)


@pytest.mark.parametrize("role", ["fog_multicast", "wds_multicast"])
def test_what_an_earlier_check_saw(role):
    broken = {"fog": {"hosts": 3, "of": 5}, "wds": {"hosts": "0", "of": "2"}}
    assert check(role, multicast_broken=broken) == check(role, multicast_broken={}) == [True]


@pytest.mark.parametrize("folder", [["a"], {"a": 1}, 7, True])
def test_a_report_folder_that_is_none(folder):
    with pytest.raises(AnsibleLookupError, match="multicast_report_dir must be a text"):
        check("fog_multicast", "multicast_report", multicast_report_dir=folder)


def test_several_roles_give_one_answer():
    assert check("fog_multicast", "multicast_report", multicast_report_dir="/srv/report") == [True]


def test_what_is_omitted_counts_as_not_set():
    assert check("fog_multicast", fog_multicast_node=OMITTED, fog_multicast_master=OMITTED) == [True]
    assert check("fog_multicast", multicast_broken=OMITTED) == [True]


@pytest.mark.parametrize("name", ["fog_multicast_probe_hosts", "fog_multicast_method", "fog_multicast_probe_size"])
def test_what_is_omitted_does_not_get_its_default_back(name):
    with pytest.raises(AnsibleLookupError, match=f"{name} is omitted"):
        check("fog_multicast", **{name: OMITTED})


def test_every_wrong_variable_is_named():
    with pytest.raises(AnsibleLookupError) as told:
        check("fog_multicast", fog_multicast_stale_after="soon", fog_multicast_method="purge", fog_multicast_probe=7)
    for name in ("fog_multicast_stale_after", "fog_multicast_method", "fog_multicast_probe"):
        assert name in str(told.value)


def test_a_template_that_gives_nothing_is_named_and_the_others_are_filled_in():
    given = {
        "fog_multicast_interface": trust_as_template("{{ nowhere }}"),
        "fog_multicast_probe_size": trust_as_template("{{ fog_multicast_settings }}"),
        "fog_multicast_settings": "/elsewhere",
        "fog_multicast_node": OMITTED,
    }
    with pytest.raises(AnsibleLookupError) as told:
        check("fog_multicast", **given)
    assert "fog_multicast_interface: " in str(told.value)
    assert "'nowhere' is undefined" in str(told.value)
    assert "argument 'fog_multicast_probe_size' is of type" in str(told.value)
    assert "fog_multicast_node" not in str(told.value)


def test_a_password_is_not_told():
    with pytest.raises(AnsibleLookupError) as told:
        check("fog_multicast", fog_multicast_login_password="hunter2-hunter2", fog_multicast_stale_after="soon")
    assert "hunter2" not in str(told.value)


def test_a_role_that_is_none():
    with pytest.raises(AnsibleLookupError, match="nowhere is no role of this collection"):
        check("nowhere")
