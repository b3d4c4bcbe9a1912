"""An XDP program that is not ours on an interface: it passes every frame, and is gone when its holder closes it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
from typing import Iterator

from demonet import netns

SYS_BPF = 321  # x86-64
BPF_PROG_LOAD = 5
BPF_LINK_CREATE = 28
BPF_PROG_TYPE_XDP = 6
BPF_XDP = 37  # attach type
PASS = bytes.fromhex("b700000002000000" "9500000000000000")  # r0 = XDP_PASS; exit

_LIBC = ctypes.CDLL(None, use_errno=True)


class _ProgLoad(ctypes.Structure):
    """union bpf_attr for BPF_PROG_LOAD, as far as it is needed."""

    _fields_ = [("prog_type", ctypes.c_uint32), ("insn_cnt", ctypes.c_uint32), ("insns", ctypes.c_uint64),
                ("license", ctypes.c_uint64), ("log_level", ctypes.c_uint32), ("log_size", ctypes.c_uint32),
                ("log_buf", ctypes.c_uint64), ("kern_version", ctypes.c_uint32), ("prog_flags", ctypes.c_uint32),
                ("prog_name", ctypes.c_char * 16)]


class _LinkCreate(ctypes.Structure):
    """union bpf_attr for BPF_LINK_CREATE."""

    _fields_ = [("prog_fd", ctypes.c_uint32), ("target_ifindex", ctypes.c_uint32), ("attach_type", ctypes.c_uint32),
                ("flags", ctypes.c_uint32), ("room", ctypes.c_uint32 * 8)]


def _bpf(command: int, attributes: ctypes.Structure) -> int:
    handle = _LIBC.syscall(SYS_BPF, command, ctypes.byref(attributes), ctypes.sizeof(attributes))
    if handle < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"bpf: {os.strerror(error)}")
    return handle


@contextlib.contextmanager
def foreign_xdp(namespace: str, device: str, name: str) -> Iterator[None]:
    """Has a program called `name` on the device while the block runs."""
    instructions = ctypes.create_string_buffer(PASS, len(PASS))
    terms = ctypes.create_string_buffer(b"GPL")
    load = _ProgLoad(prog_type=BPF_PROG_TYPE_XDP, insn_cnt=len(PASS) // 8, insns=ctypes.addressof(instructions),
                     license=ctypes.addressof(terms), prog_name=name.encode())
    program = _bpf(BPF_PROG_LOAD, load)
    with contextlib.closing(os.fdopen(program, "rb", 0)), netns.inside(namespace):
        link = _bpf(BPF_LINK_CREATE, _LinkCreate(prog_fd=program, target_ifindex=socket.if_nametoindex(device),
                                                 attach_type=BPF_XDP))
    try:
        yield
    finally:
        os.close(link)
