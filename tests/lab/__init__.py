"""A fleet of real systemd hosts on one machine, to break and repair.

The package builds one Debian image per suite, boots hosts from overlay clones of it with systemd-nspawn, and joins them
on a bridge inside a network namespace of its own. ``python -m tests.lab --help`` lists what it can do.
"""
