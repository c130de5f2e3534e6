# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Importing from a zip archive, each time in a Python of its own, because imports leave traces."""

import json
import os
import subprocess
import sys
import zipfile

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils import _compile_once

CODE = {
    "early.py": "",
    "outer/__init__.py": "",
    "outer/inner/__init__.py": "from . import leaf",
    "outer/inner/leaf.py": "import early, beside, json\nVALUE = 5",
}
#: Imports from the archive, and prints what it got, where from, and how often each file was compiled.
SCRIPT = """
import json, runpy, sys
archive, folder, own, hooked = sys.argv[1:]
compiled = []
if hasattr(sys, "addaudithook"):
    sys.addaudithook(lambda event, of: compiled.append(str(of[1])) if event == "compile" else None)
sys.path[:0] = [archive, folder]
import early
if hooked:
    runpy.run_path(own)["compile_once"]()
import outer.inner.leaf as leaf
try:
    import outer.missing
    missing = ""
except ImportError as error:
    missing = str(error)
files = {name: sys.modules[name].__file__ for name in ("early", "outer", "outer.inner", "outer.inner.leaf", "beside")}
print(json.dumps({"value": leaf.VALUE, "files": files, "compiled": compiled, "missing": missing}))
"""


@pytest.fixture
def imported(tmp_path):
    """What SCRIPT prints, with or without compile_once; the archive's own path is left out."""
    archive, folder = tmp_path / "code.zip", tmp_path / "folder"
    folder.mkdir()
    (folder / "beside.py").write_text("")
    with zipfile.ZipFile(str(archive), "w") as made:
        for name, text in CODE.items():
            made.writestr(name, text)
    own = os.path.splitext(_compile_once.__file__)[0] + ".py"

    def run(hooked):
        argv = [sys.executable, "-B", "-c", SCRIPT, str(archive), str(folder), own, "yes" if hooked else ""]
        printed = subprocess.check_output(argv, universal_newlines=True)
        return json.loads(printed.replace(str(tmp_path) + os.sep, ""))

    return run


def test_it_imports_the_same_from_the_same_files(imported):
    usual, once = imported(False), imported(True)
    assert once["value"] == 5
    assert once["files"]["outer.inner.leaf"] == os.path.join("code.zip", "outer", "inner", "leaf.py")
    assert once["files"]["outer.inner"] == os.path.join("code.zip", "outer", "inner", "__init__.py")
    assert once["missing"] == usual["missing"] == "No module named 'outer.missing'"
    assert {each: once[each] for each in ("value", "files")} == {each: usual[each] for each in ("value", "files")}


@pytest.mark.skipif(not hasattr(sys, "addaudithook"), reason="this Python (below 3.8) does not tell what it compiles")
def test_it_compiles_once_what_comes_after(imported):
    def times(compiled):
        return {name: compiled.count(os.path.join("code.zip", *name.split("/"))) for name in CODE}

    # When Python itself has learned it, compile_once can go.
    assert times(imported(False)["compiled"]) == dict.fromkeys(CODE, 2)
    assert times(imported(True)["compiled"]) == dict(dict.fromkeys(CODE, 1), **{"early.py": 2})
