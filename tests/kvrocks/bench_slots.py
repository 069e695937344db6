#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bench_slots.py: how long all slots take, by rdma (over TCP) and by upstream's two ways, in turns.

KVROCKS_BIN is the patched Kvrocks; KVROCKS_BASELINE_BIN, when set, is the one that runs upstream's ways.
    bench_slots.py [--mib N] [--kind string|hash] [--runs N] [--types rdma,rdma-writebatch,raw-key-value,redis-command]
Upstream is tuned: no speed limit, pipelines of 1024, raw batches of 256 KiB and 1 MiB (the better one counts).
"""
import argparse
import os
import time

from kvrocks_node import Cluster

BINARY = os.environ.get("KVROCKS_BIN", "")
BASELINE = os.environ.get("KVROCKS_BASELINE_BIN", BINARY)
UPSTREAM = {"migrate-speed": 0, "migrate-pipeline-size": 1024, "migrate-batch-rate-limit-mb": 8192}
COMMON = {"rocksdb.write_buffer_size": 64, "rocksdb.compression": "no", "workers": 2}
TYPES = {
    "rdma": {"migrate-type": "rdma", "migrate-rdma-lane": "auto"},
    "rdma-writebatch": {"migrate-type": "rdma", "migrate-rdma-lane": "writebatch"},
    "raw-key-value-256": {"migrate-type": "raw-key-value", "migrate-batch-size-kb": 256},
    "raw-key-value-1024": {"migrate-type": "raw-key-value", "migrate-batch-size-kb": 1024},
    "redis-command": {"migrate-type": "redis-command"},
}


def cpu_seconds(node):
    with open(f"/proc/{node.process.pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def fill(node, kind, mib):
    client = node.client()
    value = os.urandom(512).hex()
    if kind == "string":
        commands = (("set", f"key:{i}", value) for i in range(mib << 10))
    else:
        fields = [part for j in range(100) for part in (f"field{j:03}", value[:100])]
        commands = (("hset", f"key:{i}", *fields) for i in range((mib << 20) // (100 * 140)))
    chunk = []
    for command in commands:
        chunk.append(command)
        if len(chunk) == 500:
            client.pipeline(chunk, 500)
            chunk = []
    client.pipeline(chunk, 500)
    client.close()
    node.call("compact")


def settle(node):
    """Until the process is idle."""
    before = cpu_seconds(node)
    while True:
        time.sleep(1)
        now = cpu_seconds(node)
        if now - before < 0.05:
            return
        before = now


def run_once(name, kind, mib):
    settings = dict(COMMON, **TYPES[name])
    binary = BINARY if name.startswith("rdma") else BASELINE
    if not name.startswith("rdma"):
        settings.update(UPSTREAM)
        settings["migrate-rdma-transport"] = None
    cluster = Cluster(binary, 2, {"a": settings, "b": settings})
    try:
        a, b = cluster.nodes
        fill(a, kind, mib)
        settle(a)
        cpu_a, cpu_b, start = cpu_seconds(a), cpu_seconds(b), time.monotonic()
        a.call("clusterx", "migrate", "0-16383", b.id, "sync")
        seconds = time.monotonic() - start
        pause = a.info("migration").get("last_write_pause_ms", "-") if name.startswith("rdma") else "-"
        return seconds, cpu_seconds(a) - cpu_a, cpu_seconds(b) - cpu_b, pause
    finally:
        cluster.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=256)
    parser.add_argument("--kind", choices=["string", "hash"], default="string")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--types", default=",".join(TYPES))
    options = parser.parse_args()
    print(f"{options.mib} MiB of {options.kind}s")
    print("type                seconds   MB/s  source-cpu-s  target-cpu-s  pause-ms")
    for _ in range(options.runs):
        for name in options.types.split(","):
            seconds, source, target, pause = run_once(name, options.kind, options.mib)
            print(f"{name:19} {seconds:7.2f} {options.mib * 1.048576 / seconds:6.1f}  {source:12.2f}  {target:12.2f}  {pause}",
                  flush=True)


if __name__ == "__main__":
    main()
