"""Every build, and every language, gives what the same build in English gives, field by field."""

import re
from typing import Any

from ansible_collections.imaging.multicast.plugins.module_utils._wds.builds import BUILDS as KNOWN

from extensions.head_nodes.builds import BUILDS
from extensions.head_nodes.machine import IMAGES
from tests.lab.wds.conftest import Heads
from tests.lab.wds.together import modules

ENGLISH, LANGUAGES = "en", ("de", "fr", "ja")
FAULTS = ["missing-namespace", "blank-namespace-logs", "service-disabled", "dns-port-clash", "pending-reboot"]
#: What differs from one node and moment to another.
CHANGING = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|\d{8}-\d{6}|\(record \d+\)|\(process \d+\)")
MOMENTS = ("time", "record", "boot", "_output", "invocation")


def told(value: Any) -> Any:
    """A result without moments."""
    if isinstance(value, dict):
        return {key: told(each) for key, each in value.items() if key not in MOMENTS}
    if isinstance(value, list):
        return [told(each) for each in value]
    return CHANGING.sub("", value) if isinstance(value, str) else value


def spoken(number: int, build: int) -> tuple[str, ...]:
    """The languages of a build: all of the oldest and the most common one, another one of each in between."""
    return LANGUAGES if build in (6002, 17763) else (LANGUAGES[number % len(LANGUAGES)],)


def test_every_language_gives_what_english_gives(heads: Heads) -> None:
    assert sorted(BUILDS) == sorted(KNOWN)
    one = {"computer_name": "HN", "baseline": True, "description": "Used by HPC"}
    fleet = heads(
        {
            f"{language}{build}{state}": {**one, "build": build, "language": language, "faults": faults}
            for number, build in enumerate(BUILDS)
            for language in (ENGLISH, *spoken(number, build))
            for state, faults in (("well", []), ("ill", FAULTS))
            if state == "ill" or len(spoken(number, build)) > 1
        }
    )
    results = modules(fleet, "wds_multicast_info", deployments="always")
    for name, result in results.items():
        english = told(results[ENGLISH + name[2:]])
        assert told(result) == english, name
        assert result["unread"] == []
        assert len(result["findings"]) == (0 if name.endswith("well") else 8), (name, result["findings"])
        assert fleet.writes(name) == []
    # The builds differ in what they are called and in the cure for the ports, and in nothing else.
    findings = {build: told(results[f"{ENGLISH}{build}ill"]["findings"]) for build in BUILDS}
    for build in BUILDS:
        assert [each["id"] for each in findings[build]] == [each["id"] for each in findings[17763]]
        server = results[f"{ENGLISH}{build}ill"]["server"]
        assert (server["build"], server["known"]) == (build, True)


def test_letters_of_a_language_come_back_as_they_are(heads: Heads) -> None:
    words = {"de": "Größe für Übungen", "fr": "Déploiement à l'école", "ja": "展開サービス 用"}
    fleet = heads(
        {
            f"{language}{build}": {
                **{"build": build, "language": language, "friendly_name": text, "description": text},
                **{"configuration": f"{IMAGES}\\{text}", "baseline": True, "faults": ["missing-namespace"]},
            }
            for language, text in words.items()
            for build in (6002, 17763)
        }
    )
    made = modules(fleet, "wds_multicast_namespace")
    for name, result in made.items():
        text = words[name[:2]]
        assert result["changed"], result
        assert result["after"]["healthy"], result
        after = result["after"]
        assert (after["friendly_name"], after["description"]) == (text, text)
        assert after["configuration"] == f"{IMAGES}\\{text}"
        live = fleet.machines[name].live[result["namespace"].lower()]
        assert (live.friendly_name, live.configuration) == (text, f"{IMAGES}\\{text}")
