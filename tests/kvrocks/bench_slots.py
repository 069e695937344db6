#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bench_slots.py: how long it takes to move all slots, by haul (over TCP) and by upstream's two ways, in turn.

KVROCKS_BIN is the patched Kvrocks; KVROCKS_BASELINE_BIN, if set, runs upstream's ways.
    bench_slots.py [--mib N] [--kind string|hash] [--value-size BYTES] [--compression no|snappy] [--runs N]
                   [--types LIST] [--load WRITES] [--prepared DIR] [--json FILE]
Upstream is tuned: no speed limit, pipelines of 1024, raw batches of 256 KiB and 1 MiB (the better one counts). The
types "-16" have upstream's default limit of 16 MB/s; those with "-none" do not encrypt. Each run begins with a copy of
one database that was filled, compacted and left until it was idle; a run that other programs disturbed is repeated.
--load: that many SETs a second to the slots that move, from before the migration until after it; a client follows
MOVED and repeats after TRYAGAIN.
The last table compares each of haul's ways with the better raw-key-value: medians of seconds and of CPU seconds.
"""
import argparse
import base64
import json
import multiprocessing
import os
import shutil
import statistics
import tempfile
import time

import kvrocks_node
from kvrocks_node import Client, Cluster, Error

BINARY = os.environ.get("KVROCKS_BIN", "")
BASELINE = os.environ.get("KVROCKS_BASELINE_BIN", BINARY)
UPSTREAM = {"migrate-speed": 0, "migrate-pipeline-size": 1024, "migrate-batch-rate-limit-mb": 8192,
            **kvrocks_node.UPSTREAM}
# Nobody reads the old log: it would only take up memory.
COMMON = {"rocksdb.write_buffer_size": 64, "workers": 2, "rocksdb.wal_ttl_seconds": 0,
          "rocksdb.wal_size_limit_mb": 0}
TYPES = {
    "haul": {"migrate-rdma-lane": "auto"},
    "haul-writebatch": {"migrate-rdma-lane": "writebatch"},
    "haul-none": {"migrate-rdma-lane": "auto", "migrate-rdma-wire": "none"},
    "haul-writebatch-none": {"migrate-rdma-lane": "writebatch", "migrate-rdma-wire": "none"},
    "haul-16": {"migrate-rdma-rate-limit-mb": 16},
    "raw-key-value-256": {"migrate-type": "raw-key-value", "migrate-batch-size-kb": 256},
    "raw-key-value-1024": {"migrate-type": "raw-key-value", "migrate-batch-size-kb": 1024},
    "raw-key-value-16": {"migrate-type": "raw-key-value", "migrate-batch-size-kb": 256,
                         "migrate-batch-rate-limit-mb": 16},
    "redis-command": {"migrate-type": "redis-command"},
}
CHUNK = 500  # commands at once to fill a database
DEFAULT_TYPES = "haul,haul-writebatch,raw-key-value-256,raw-key-value-1024,redis-command"
FIGURES = ["seconds", "source_cpu_s", "target_cpu_s", "others_cpu_s", "pause_ms", "p99_ms", "p99_before_ms", "gap_ms"]


def cpu_seconds(node):
    with open(f"/proc/{node.process.pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def busy_seconds():
    """CPU seconds of the whole machine, except those of programs at low priority."""
    with open("/proc/stat", encoding="ascii") as file:
        fields = [int(field) for field in file.readline().split()[1:]]
    return (fields[0] + fields[2] + sum(fields[5:7])) / os.sysconf("SC_CLK_TCK")


def random_text(size):
    return base64.b64encode(os.urandom(size * 3 // 4))[:size]


def fields(text):
    return [part for j in range(100) for part in (f"field{j:03}", text[j * 100:j * 100 + 100])]


def fill(node, kind, mib, value_size):
    client = node.client()
    if kind == "string":
        commands = (("set", f"key:{i}", random_text(value_size)) for i in range((mib << 20) // value_size))
    else:
        commands = (("hset", f"key:{i}", *fields(random_text(10000))) for i in range((mib << 20) // (100 * 140)))
    chunk = []
    for command in commands:
        chunk.append(command)
        if len(chunk) == CHUNK:
            client.pipeline(chunk, CHUNK)
            chunk = []
    client.pipeline(chunk, CHUNK)
    client.close()
    node.call("compact")


def settle(node):
    """Wait until the process is idle."""
    before = cpu_seconds(node)
    while True:
        time.sleep(1)
        now = cpu_seconds(node)
        if now - before < 0.05:
            return
        before = now


def load(port, rate, orders, answers):
    """A process of its own: five SETs at a time; "mark" in `orders` separates before from during, "stop" ends it."""
    clients, batch, number = {}, 5, 0
    latencies, before, last_taken, gap = [], [], time.monotonic(), 0.0
    due, marked = time.monotonic(), 0.0
    while True:
        if orders.poll():
            if orders.recv() == "stop":
                break
            before, latencies, gap, marked = latencies, [], 0.0, time.process_time()
        start = time.monotonic()
        client = clients.setdefault(port, None) or Client(port)
        clients[port] = client
        replies = client.pipeline([("set", f"load:{(number + i) % 10000}", "x" * 100) for i in range(batch)], batch)
        moved = [str(reply) for reply in replies if isinstance(reply, Error)]
        now = time.monotonic()
        if moved:
            if moved[0].startswith("MOVED"):
                port = int(moved[0].rsplit(":", 1)[1])
            time.sleep(0.0005)
            continue
        gap, last_taken = max(gap, now - last_taken), now
        latencies.append(now - start)
        number += batch
        due += batch / rate
        if due > now:
            time.sleep(due - now)
        else:
            due = now
    answers.send((percentile(before, 0.99), percentile(latencies, 0.99), gap * 1000, time.process_time() - marked))


def percentile(seconds, share):
    return sorted(seconds)[int(len(seconds) * share)] * 1000 if seconds else 0.0


class Prepared:
    """The database with which all runs begin."""

    def __init__(self, options):
        self.mib, self.kept = options.mib, options.prepared
        self.settings = dict(COMMON, **{"rocksdb.compression": options.compression})
        self.database = options.prepared or tempfile.mkdtemp(prefix="haul-prepared-") + "/db"
        if not os.path.isdir(self.database):
            self.make(options)

    def make(self, options):
        cluster = Cluster(BINARY, 1, {"a": dict(self.settings, **{"migrate-rdma-transport": "tcp"})})
        node = cluster.nodes[0]
        fill(node, options.kind, options.mib, options.value_size)
        settle(node)
        node.stop()
        shutil.move(node.database(), self.database)
        cluster.close()

    def put_into(self, node):
        """Tables never change, so they are linked."""
        node.stop()
        shutil.rmtree(node.database())
        shutil.copytree(self.database, node.database(), copy_function=link_or_copy)
        node.start()
        settle(node)

    def close(self):
        if not self.kept:
            shutil.rmtree(os.path.dirname(self.database))


def link_or_copy(source, target):
    if source.endswith(".sst"):
        os.link(source, target)
    else:
        shutil.copy2(source, target)


def touch_memory(directory, mib):
    """Touch memory that the host of a virtual machine may have reclaimed meanwhile."""
    path = os.path.join(directory, "touched")
    block = bytes(1 << 20)
    with open(path, "wb") as file:
        for _ in range(mib):
            file.write(block)
    os.remove(path)


def run_once(name, prepared, rate):
    settings = dict(prepared.settings)
    if not name.startswith("haul"):
        settings.update(UPSTREAM)
    settings.update(TYPES[name])
    cluster = Cluster(BINARY if name.startswith("haul") else BASELINE, 2, {"a": settings, "b": settings})
    try:
        a, b = cluster.nodes
        prepared.put_into(a)
        cluster.tell()
        figures = dict.fromkeys(FIGURES)
        loader = None
        if rate:
            orders, far_orders = multiprocessing.Pipe()
            answers, far_answers = multiprocessing.Pipe()
            loader = multiprocessing.Process(target=load, args=(a.port, rate, far_orders, far_answers))
            loader.start()
            time.sleep(5)
        touch_memory(cluster.directory, prepared.mib * 2)
        if loader:
            orders.send("mark")
        cpu_a, cpu_b, busy, start = cpu_seconds(a), cpu_seconds(b), busy_seconds(), time.monotonic()
        a.call("clusterx", "migrate", "0-16383", b.id, "sync")
        figures["seconds"] = time.monotonic() - start
        figures["source_cpu_s"], figures["target_cpu_s"] = cpu_seconds(a) - cpu_a, cpu_seconds(b) - cpu_b
        figures["others_cpu_s"] = busy_seconds() - busy - figures["source_cpu_s"] - figures["target_cpu_s"]
        if name.startswith("haul"):
            figures["pause_ms"] = float(a.info("migration")["migrate_last_write_pause_ms"])
        if loader:
            time.sleep(0.5)
            orders.send("stop")
            figures["p99_before_ms"], figures["p99_ms"], figures["gap_ms"], own = answers.recv()
            figures["others_cpu_s"] -= own
            loader.join()
        return figures
    finally:
        cluster.close()


def run_alone(name, prepared, options):
    """Repeat the run if other programs took more than a tenth of a processor."""
    for _ in range(3):
        figures = run_once(name, prepared, options.load)
        if figures["others_cpu_s"] <= 0.1 * figures["seconds"]:
            return figures
        print(f"{name:20} disturbed: {figures['seconds']:.2f} s, others {figures['others_cpu_s']:.2f} CPU s", flush=True)
    return figures


def show(value):
    return "-" if value is None else f"{value:.2f}"


def medians(runs):
    return {name: {f: None if list_of[0][f] is None else statistics.median(run[f] for run in list_of)
                   for f in FIGURES} for name, list_of in runs.items()}


def compare(middle):
    """Each of haul's ways against the better raw-key-value."""
    raw = [figures for name, figures in middle.items() if name.startswith("raw-key-value")]
    if not raw:
        return
    raw = min(raw, key=lambda figures: figures["seconds"])
    compared = ["seconds", "source_cpu_s", "target_cpu_s", "p99_ms"]
    print(f"{'against raw':20}", *(f"{figure:>13}" for figure in compared))
    for name, figures in middle.items():
        if name.startswith("haul"):
            print(f"{name:20}", *(f"{show(figures[f] and raw[f] and figures[f] / raw[f]):>13}" for f in compared))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=256)
    parser.add_argument("--kind", choices=["string", "hash"], default="string")
    parser.add_argument("--value-size", type=int, default=1024, help="of strings")
    parser.add_argument("--compression", choices=["no", "snappy"], default="no", help="of both nodes' tables")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--types", default=DEFAULT_TYPES)
    parser.add_argument("--load", type=int, default=0)
    parser.add_argument("--prepared", help="the database to begin with; made when it is missing, and kept")
    parser.add_argument("--json")
    options = parser.parse_args()
    prepared = Prepared(options)
    print(f"{options.mib} MiB of {options.kind}s, rocksdb.compression {options.compression}, {options.load} writes/s",
          flush=True)
    print(f"{'type':20}", *(f"{figure:>13}" for figure in FIGURES))
    runs = {name: [] for name in options.types.split(",")}
    try:
        for _ in range(options.runs):
            for name, list_of in runs.items():
                list_of.append(run_alone(name, prepared, options))
                print(f"{name:20}", *(f"{show(list_of[-1][figure]):>13}" for figure in FIGURES), flush=True)
    finally:
        prepared.close()
    middle = medians(runs)
    if options.runs > 1:
        print("medians")
        for name, figures in middle.items():
            print(f"{name:20}", *(f"{show(figures[f]):>13}" for f in FIGURES))
    compare(middle)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"mib": options.mib, "kind": options.kind, "value_size": options.value_size,
                       "compression": options.compression, "load": options.load, "runs": runs}, file, indent=1)


if __name__ == "__main__":
    main()
