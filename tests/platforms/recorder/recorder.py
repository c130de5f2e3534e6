"""A callback of Ansible that writes each result of a task to the file RECORDED, a JSON line each."""

import json
import os
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: recorder
type: notification
short_description: Write each result of a task to a file
description: Meant for tests.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]  # Ansible comes without types
    """Of a loop its items, otherwise the task."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "recorder"
    CALLBACK_NEEDS_ENABLED = True

    def v2_runner_on_ok(self, result: Any) -> None:
        self._record(result, failed=False)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._record(result, failed=True)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        self._record(result, failed=False)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        self._record(result, failed=True)

    def _record(self, result: Any, failed: bool) -> None:
        if "results" in result._result and result._task.loop is not None:
            return
        record = {
            "task": result._task.name,
            "action": result._task.action,
            "host": result._host.name,
            "failed": failed,
            "result": {key: value for key, value in result._result.items() if not key.startswith("_ansible")},
        }
        with open(os.environ["RECORDED"], "a", encoding="utf-8") as file:
            file.write(json.dumps(record, default=str) + "\n")
