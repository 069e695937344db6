# SPDX-License-Identifier: Apache-2.0
"""far_line.py: two network namespaces with a long line between them: tests/bench/delay_line.c, for kernels without
netem.

This process moves into the near one, and with it whatever it starts. Nodes are told the namespace of the far one.
"""
import ctypes
import os
import subprocess

DELAY_MS, MBIT_PER_S, QUEUE_KB = 25, 1000, 6250
LINE_BYTES_PER_S = MBIT_PER_S * 1e6 / 8
NEAR, FAR = "10.77.0.1", "10.77.0.2"
CLONE_NEWNET = 0x40000000


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


class FarLine:
    """Raises OSError or CalledProcessError where there are no namespaces, no /dev/net/tun, or no rights."""

    def __init__(self, delay_line):
        self.names = [f"haul-proof-{side}-{os.getpid()}" for side in ("near", "far")]
        self.process = None
        try:
            for name in self.names:
                ip("netns", "add", name)
                ip("-n", name, "link", "set", "lo", "up")
            self.process = subprocess.Popen([delay_line, *self.names, str(DELAY_MS), str(MBIT_PER_S), str(QUEUE_KB)],
                                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            if self.process.stdout.readline() != "ready\n":
                raise OSError(self.process.stderr.read())
            for name, address in zip(self.names, (NEAR, FAR)):
                ip("-n", name, "addr", "add", f"{address}/24", "dev", "line0")
                ip("-n", name, "link", "set", "line0", "txqueuelen", "20000", "up")
            self.enter(self.names[0])
        except BaseException:
            self.close()
            raise

    @staticmethod
    def enter(name):
        """This thread, and the threads and processes that it starts."""
        with open(f"/var/run/netns/{name}", encoding="ascii") as file:
            if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), f"setns {name}")

    def near(self):
        return NEAR, None

    def far(self):
        return FAR, self.names[1]

    def arrived(self):
        """Bytes that have come to the far end so far, with the headers of IP and TCP: the line's rate counts them."""
        done = subprocess.run(["ip", "netns", "exec", self.names[1], "cat", "/sys/class/net/line0/statistics/rx_bytes"],
                              check=True, capture_output=True, text=True)
        return int(done.stdout)

    def close(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
