# SPDX-License-Identifier: Apache-2.0
"""key_copies.py — looks for the first key of a file in the memory of a process, stacks of its threads
included. Prints a line for each copy: its address, then "kept" (the page is locked and not in core
dumps) or "left". Needs the right to read that memory.

usage: key_copies.py PID KEY-FILE"""
import re
import sys


def mappings(pid):
    """(begin, end, flags) of what can be read."""
    found = None
    with open(f"/proc/{pid}/smaps", encoding="ascii") as smaps:
        for line in smaps:
            head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line)
            if head:
                found = (int(head[1], 16), int(head[2], 16), head[3])
            elif line.startswith("VmFlags:") and found[2][0] == "r":
                yield found[0], found[1], line.split()[1:]


def copies(pid, secret):
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for begin, end, flags in mappings(pid):
            if "io" in flags or "pf" in flags:
                continue  # no memory: [vvar]
            try:
                memory.seek(begin)
                held = memory.read(end - begin)
            except (OSError, OverflowError):
                continue  # gone meanwhile, or the kernel's
            at = held.find(secret)
            while at >= 0:
                yield begin + at, {"lo", "dd"} <= set(flags)
                at = held.find(secret, at + 1)


def main():
    with open(sys.argv[2], encoding="ascii") as file:
        secret = file.read().split("\n")[1].split()[2]
    for form in bytes.fromhex(secret), secret.encode():
        for at, kept in copies(int(sys.argv[1]), form):
            print(f"{at:x} {'kept' if kept else 'left'}")


main()
