# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the variables of a role are what its argument_specs say, without a task of its own for each host."""

DOCUMENTATION = r"""
name: checked_variables
short_description: Check the variables of a role of this collection
version_added: 0.3.0
description:
  - Fails where a variable of the role has a wrong type or a value that is none of its choices.
  - Ansible does the same at the start of a role, in a task of its own. Such a task is a good part of what the look at a
    healthy host costs, so the roles of this collection do it within the look.
options:
  _terms:
    description: Name of the role, without that of the collection.
    type: list
    elements: str
    required: true
author:
  - imaging.multicast contributors (@imaging-multicast)
"""

EXAMPLES = r"""
- name: See that the variables of the role are right
  ansible.builtin.assert:
    that: lookup('imaging.multicast.checked_variables', 'fog_multicast')
"""

RETURN = r"""
_value:
  description: True for each role, because wrong variables make the lookup fail.
  type: list
  elements: bool
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleError, AnsibleLookupError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.yaml import yaml_load
from ansible.plugins.lookup import LookupBase

ROLES = Path(__file__).resolve().parents[2] / "roles"


class LookupModule(LookupBase):
    """What Ansible calls."""

    def run(self, terms: Sequence[str], variables: Mapping[str, Any] | None = None, **kwargs: Any) -> list[bool]:
        """True for each role. Raises AnsibleLookupError, which names every variable that is wrong."""
        for role in terms:
            wrong = self._wrong(role, variables or {})
            if wrong:
                raise AnsibleLookupError("; ".join(wrong))
        return [True for role in terms]

    def _wrong(self, role: str, variables: Mapping[str, Any]) -> list[str]:
        try:
            specs = yaml_load((ROLES / role / "meta" / "argument_specs.yml").read_text())
            options = specs["argument_specs"]["main"]["options"]
        except (OSError, KeyError, TypeError, yaml.YAMLError) as error:
            raise AnsibleLookupError(f"{role} is no role of this collection with argument_specs: {error}") from error
        given: dict[str, Any] = {}
        wrong: list[str] = []
        for name in options:
            if name in variables:
                try:
                    given[name] = self._templar.template(variables[name])
                except AnsibleError as error:
                    wrong.append(f"{name}: {error}")
        wrong += ArgumentSpecValidator(options).validate(given).error_messages
        return wrong
