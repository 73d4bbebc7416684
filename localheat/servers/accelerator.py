# SPDX-License-Identifier: Apache-2.0
"""Whether QEMU can use KVM here, or must emulate the processor."""

import functools
import os
import platform
import subprocess
import tempfile

# A boot sector: 65,536 times an access to a port, each of which leaves the guest, then the end.
#   mov cx, 0xffff; next: out 0x80, al; loop next
#   mov al, 0; mov dx, 0x501; out dx, al; halt: hlt; jmp halt
_CODE = bytes.fromhex('b9ffff e680 e2fc b000 ba0105 ee f4 ebfd')
# QEMU ends with 2n+1 when n is written to its debug port.
_DONE = 1
# Where KVM works, the probe takes a fraction of a second. In virtual machines whose own host
# emulates KVM, /dev/kvm is there but each exit is so slow that Linux never comes up.
LIMIT = 2.0


@functools.cache
def kvm_works() -> bool:
    """Return whether a guest runs on KVM, and quickly; tried once, for at most two seconds."""
    if not os.access('/dev/kvm', os.R_OK | os.W_OK):
        return False
    with tempfile.NamedTemporaryFile() as disk:
        disk.write(_CODE.ljust(510, b'\0') + b'\x55\xaa')
        disk.flush()
        try:
            done = subprocess.run(
                [
                    'qemu-system-' + platform.machine(),
                    '-accel',
                    'kvm',
                    '-nodefaults',
                    '-no-reboot',
                    '-display',
                    'none',
                    '-m',
                    '16',
                    '-device',
                    'isa-debug-exit,iobase=0x501,iosize=1',
                    '-drive',
                    f'file={disk.name},format=raw,if=ide',
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=LIMIT,
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
    return done.returncode == _DONE


def options(arch: str) -> 'list[str]':
    """Return QEMU's options for the fastest processor that works here.

    :param arch: of the processor, as the kernel names it
    """
    if arch == platform.machine() and kvm_works():
        return ['-accel', 'kvm', '-cpu', 'host']
    # the size of the buffer for translated code, in MiB, halves QEMU's memory; what arm64's newest
    # processors check at each call and return takes longer, emulated, than all else
    processor = 'cortex-a72' if arch == 'aarch64' else 'max'
    return ['-accel', 'tcg,thread=multi,tb-size=256', '-cpu', processor]
