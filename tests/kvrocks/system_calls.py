# SPDX-License-Identifier: Apache-2.0
"""system_calls.py: makes system calls of a Kvrocks process fail, or wait, by strace's injection."""
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import unittest

STRACE = shutil.which("strace")
needs_strace = unittest.skipUnless(STRACE, "strace is not installed")


class SystemCalls:
    """From the constructor's end to end(): what `inject` names fails or waits in the process `pid`.

    calls: names of system calls with commas. fault: of strace's -e inject, such as "error=EIO". paths: only calls that
    name one of these files, or have it open."""

    def __init__(self, pid, calls, fault, paths=()):
        command = [STRACE, "-f", "-p", str(pid), "-e", f"trace={calls}", "-e", f"inject={calls}:{fault}"]
        for path in paths:
            command += ["-P", path]
        self.calls = []
        self.attached, self.called = threading.Event(), threading.Event()
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                        errors="replace")
        threading.Thread(target=self.read, daemon=True).start()
        if not self.attached.wait(30) or self.process.poll() is not None:
            raise unittest.SkipTest("strace cannot attach to a process: " + " ".join(self.calls))

    def read(self):
        """strace's own messages come first, then the calls."""
        for line in self.process.stderr:
            self.calls.append(line.strip())
            if "Process" in line and "attached" in line:
                self.attached.set()
            elif "(INJECTED)" in line or "(DELAYED)" in line:
                self.called.set()
        self.attached.set()

    def end(self):
        """The process goes on without faults."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait(30)


class HeldProgram:
    """A program to start in place of `binary`: whichever of its threads opens `path` waits there until release()."""

    HOLD_S = 600

    def __init__(self, binary, path):
        self.directory = tempfile.mkdtemp(prefix="haul-held-")
        self.program = os.path.join(self.directory, "held")
        self.pid_file = os.path.join(self.directory, "pid")
        with open(self.program, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n"
                       f"echo $$ > {self.pid_file}\n"
                       f"exec {STRACE} -D -f -o {self.directory}/calls -P {path} -e trace=open,openat "
                       f"-e inject=open,openat:delay_enter={self.HOLD_S}s {binary} \"$@\"\n")
        os.chmod(self.program, 0o755)

    def tracer(self):
        """strace runs beside the program (-D), so the program has the process id of the script."""
        with open(self.pid_file, encoding="ascii") as file:
            pid = int(file.read())
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            return int(next(line for line in file if line.startswith("TracerPid")).split()[1])

    def release(self):
        """Without its tracer the program goes on; strace itself would first wait for the end of the delay."""
        tracer = self.tracer()
        if tracer:
            os.kill(tracer, signal.SIGKILL)

    def close(self):
        try:
            self.release()
        except OSError:  # the process has ended, or was never started
            pass
        shutil.rmtree(self.directory, ignore_errors=True)
