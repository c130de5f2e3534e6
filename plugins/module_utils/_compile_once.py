# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Half of what it costs a host to load a module's code.

Ansible sends code as a zip archive, and Python's zipimport compiles what it finds there twice: once to run it, and
before that once more to learn no more than its file name (``zipimporter.get_filename``; read in Python 3.8 to 3.13).
"""

import os
import sys
import zipimport


class CompileOnce(zipimport.zipimporter):
    """Finds the same code, and works its file name out without compiling it."""

    def get_filename(self, fullname: str) -> str:
        """Where a module's source lies in the archive.

        :raises ZipImportError: it is not there.
        """
        package = self.is_package(fullname)
        path = os.path.join(self.archive, self.prefix, fullname.rpartition(".")[2])
        return os.path.join(path, "__init__.py") if package else path + ".py"


def compile_once() -> None:
    """From here on, import what lies in zip archives by :class:`CompileOnce`."""
    sys.path_hooks[:] = [CompileOnce if hook is zipimport.zipimporter else hook for hook in sys.path_hooks]
    for path, finder in list(sys.path_importer_cache.items()):
        if isinstance(finder, zipimport.zipimporter) and not isinstance(finder, CompileOnce):
            del sys.path_importer_cache[path]
