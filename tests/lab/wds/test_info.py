"""wds_multicast_info on simulated head nodes."""

from tests.lab.wds.conftest import Heads


def test_a_healthy_head_node_costs_five_requests_and_no_write(heads: Heads) -> None:
    fleet = heads({"hn1": {"baseline": True}})
    result = fleet.module("hn1", "wds_multicast_info")
    assert result["findings"] == []
    assert not result["changed"]
    assert [namespace["name"] for namespace in result["namespaces"]] == ["HN1-CCP"]
    assert fleet.nodes["hn1"].counts.kinds == {"Create": 1, "Command": 1, "Receive": 1, "Signal": 1, "Delete": 1}
    assert fleet.writes("hn1") == []
