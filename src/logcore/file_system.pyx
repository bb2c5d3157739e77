"""What kind of file system a folder lies on."""

import os

from logcore._c cimport pl_file_system_magic, pl_network_file_system


def network_file_system(path):
    """Name of the network file system (or FUSE) that `path` lies on, None for a local one."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return name_of_network_magic(pl_file_system_magic(fd))
    finally:
        os.close(fd)


def name_of_network_magic(magic):
    """The same for a number of statfs(2)."""
    cdef const char *name = pl_network_file_system(magic)
    return None if name == NULL else name.decode()
