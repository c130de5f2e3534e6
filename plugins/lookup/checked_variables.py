# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the variables of a role are what its argument_specs say, without a task of its own for each host."""

DOCUMENTATION = r"""
name: checked_variables
short_description: Check the variables of roles of this collection
version_added: 0.3.0
description:
  - Fails where a variable of a role has a wrong type or a value that is none of its choices.
  - Numbers and booleans may be given as text, as C(-e key=value) does. A list, a dictionary or a path must be one,
    because the roles use it as it is.
  - A variable that is omitted (C(omit)) counts as not set. One for which the role has a default must not
    be omitted, because the default does not come back.
  - Ansible does the same at the start of a role, in a task of its own. Such a task is a good part of what the look at a
    healthy host costs, so the roles of this collection do it within the look.
options:
  _terms:
    description: Names of roles, without that of the collection.
    type: list
    elements: str
    required: true
author:
  - imaging.multicast contributors (@imaging-multicast)
"""

EXAMPLES = r"""
- name: See that the variables of the role are right
  ansible.builtin.assert:
    that: lookup('imaging.multicast.checked_variables', 'fog_multicast', 'multicast_report')
"""

RETURN = r"""
_value:
  description: One true, however many roles, because wrong variables make the lookup fail.
  type: list
  elements: bool
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleError, AnsibleLookupError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.yaml import yaml_load
from ansible.plugins.lookup import LookupBase

ROLES = Path(__file__).resolve().parents[2] / "roles"
#: Types that the validator makes of much else -> what they are in Python, and how they are given.
_AS_THEY_ARE: Mapping[str, tuple[type[Any], str]] = {
    "dict": (dict, "a dictionary (on the command line: in JSON, -e '{...}')"),
    "list": (list, "a list (on the command line: in JSON, -e '{...}')"),
    "path": (str, "a text"),
}
_OMITTED = object()


class LookupModule(LookupBase):
    """What Ansible calls."""

    def run(self, terms: Sequence[str], variables: Mapping[str, Any] | None = None, **kwargs: Any) -> list[bool]:
        """One True for all of the roles. Raises AnsibleLookupError, which names every variable that is wrong."""
        wrong = [each for role in terms for each in self._wrong(role, variables or {})]
        if wrong:
            raise AnsibleLookupError("; ".join(wrong))
        return [True]

    def _wrong(self, role: str, variables: Mapping[str, Any]) -> list[str]:
        try:
            specs = yaml_load((ROLES / role / "meta" / "argument_specs.yml").read_text())
            options = specs["argument_specs"]["main"]["options"]
        except (OSError, KeyError, TypeError, yaml.YAMLError) as error:
            raise AnsibleLookupError(f"{role} is no role of this collection with argument_specs: {error}") from error
        given = {name: variables[name] for name in options if name in variables}
        wrong = self._fill_in({name: value for name, value in given.items() if _may_be_template(value)}, given)
        # Before ansible-core 2.19 what is omitted is a text, which the variables have.
        omitted = [name for name, value in given.items() if value in (_OMITTED, variables.get("omit", _OMITTED))]
        for name in omitted:
            del given[name]
            if "default" in options[name]:
                wrong.append(f"{name} is omitted, which does not bring its default back: do not set it at all")
        misfits = dict(_misfits(options, given))
        wrong += misfits.values()
        fitting = {name: value for name, value in given.items() if name not in misfits}
        wrong += ArgumentSpecValidator(options).validate(fitting).error_messages
        return wrong

    def _fill_in(self, templates: Mapping[str, Any], given: dict[str, Any]) -> list[str]:
        """Replace templates in ``given`` by what they give; the names and messages of those that give nothing."""
        wrong = []
        try:
            # All at once, because each call costs more than what is in it.
            given.update(dict.fromkeys(templates, _OMITTED), **self._templar.template(templates))
        except AnsibleError:
            for name, value in templates.items():
                try:
                    given.update({name: _OMITTED}, **self._templar.template({name: value}))
                except AnsibleError as error:
                    wrong.append(f"{name}: {error}")
                    del given[name]
        return wrong


def _may_be_template(value: Any) -> bool:
    """Whether a value has to be filled in: anything but a number, a boolean, null, and a text without a brace."""
    return not (value is None or isinstance(value, (bool, int, float)) or (isinstance(value, str) and "{" not in value))


def _misfits(options: Mapping[str, Any], given: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, str]]:
    """Names and what is wrong: values that no role can use as they are, though the validator would convert them."""
    for name, value in given.items():
        kind = options[name]["type"] if name in options else ""
        if value is None or kind not in _AS_THEY_ARE:
            continue
        plain, words = _AS_THEY_ARE[kind]
        if not isinstance(value, plain):
            yield name, f"{within}{name} must be {words}"
        elif "options" in options[name]:
            for _inner, told in _misfits(options[name]["options"], value, f"{within}{name}."):
                yield name, told
