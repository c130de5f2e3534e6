# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What FOG would give its own udp-sender."""

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._flow import Failure
from ansible_collections.imaging.multicast.plugins.module_utils._fog.database import Database
from ansible_collections.imaging.multicast.plugins.module_utils._fog.settings import Credentials
from ansible_collections.imaging.multicast.plugins.module_utils._probe import fog
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._fog import build

SETTINGS = {
    "FOG_UDPCAST_STARTINGPORT": "63100",
    "FOG_MULTICAST_MAX_SESSIONS": "64",
    "FOG_MULTICAST_ADDRESS": "0",
    "FOG_MULTICAST_PORT_OVERRIDE": "0",
    "FOG_MULTICAST_RENDEZVOUS": "",
}


def snapshot(**changes):
    healthy = build.healthy()
    return healthy._replace(database=healthy.database._replace(settings=dict(SETTINGS, **changes)))


def test_a_fresh_installation_leaves_the_addresses_to_udp_sender():
    wish = fog.wishes(snapshot())
    assert (wish.rendezvous, wish.data_base, fog.data_address(wish, 50020)) == ("", "", "")
    assert (wish.interface, wish.address, wish.duplex) == ("eth0", build.ADDRESS, "--full-duplex")
    assert 63100 in wish.busy


def test_every_setting_counts():
    wish = fog.wishes(
        snapshot(
            FOG_MULTICAST_ADDRESS="239.1.0.0",
            FOG_MULTICAST_RENDEZVOUS="10.0.0.9",
            FOG_MULTICAST_PORT_OVERRIDE="50100",
            FOG_MULTICAST_DUPLEX="--half-duplex",
        )
    )
    assert (wish.rendezvous, wish.duplex) == ("10.0.0.9", "")
    assert {50100, 63100} <= set(wish.busy)
    # (50020 / 2 + 1) modulo 64
    assert fog.data_address(wish, 50020) == "239.1.0.51"


def test_ports_of_sessions_and_senders_are_not_to_be_touched():
    seen = build.with_session(snapshot(), build.session(1, port=50002), senders=(build.sender(50008, of=None),))
    assert {50002, 50008} <= set(fog.wishes(seen).busy)


@pytest.mark.parametrize("value", ["", "0", "0.0.0.0", "nonsense", "1.2.3", "-1"])
def test_what_is_no_address_or_number_is_as_good_as_nothing(value):
    wish = fog.wishes(snapshot(FOG_MULTICAST_ADDRESS=value, FOG_MULTICAST_MAX_SESSIONS=value))
    assert (wish.data_base, wish.max_sessions) == ("", 64)


def test_without_the_database_nobody_knows_the_ports(monkeypatch):
    healthy = build.healthy()
    lost = healthy._replace(database=Database(error="The database does not answer.", kind="unreachable"))
    monkeypatch.setattr(
        fog, "begin", lambda _params: type("Options", (), {"settings": 1, "credentials": Credentials()})
    )
    monkeypatch.setattr(fog, "observe", lambda *_words: lost)
    with pytest.raises(Failure, match="ports of active sessions"):
        fog.read({})
    monkeypatch.setattr(fog, "observe", lambda *_words: snapshot())
    assert fog.read({}).interface == "eth0"


def test_where_fog_is(tmp_path):
    settings = tmp_path / ".fogsettings"
    assert not fog.is_here({"fog_settings": str(settings)})
    assert fog.is_here({"fog_settings": str(settings), "login_user": "a", "login_password": "b", "login_db": "c"})
    settings.write_text("")
    assert fog.is_here({"fog_settings": str(settings)})
