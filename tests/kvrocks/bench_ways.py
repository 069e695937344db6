#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bench_ways.py: five ways to move all slots to another node, in turn, while a client writes to them.

    haul           CLUSTERX MIGRATE with migrate-transport haul, over TCP
    raw-key-value  CLUSTERX MIGRATE, upstream's faster way, tuned as in bench_slots.py
    redis-command  CLUSTERX MIGRATE, upstream's older way, tuned as well
    rsync          stop the node, copy its database with rsync, start the other node
    checkpoint     BGSAVE, copy the checkpoint with rsync, then stop the node and start the other one

    bench_ways.py [--mib N] [--kind hash|string] [--runs N] [--rate WRITES] [--ways LIST] [--json FILE]
The database holds hashes of 100 fields of 100 bytes, or strings of 1 KiB. Each run starts from a copy
of one database. The client writes a new key each time, repeats writes without an acknowledgement, and
goes to whichever node accepts them. Afterwards every acknowledged key is read from the new owner.
KVROCKS_BIN and KVROCKS_BASELINE_BIN as in bench_slots.py.
"""
import argparse
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import time

import bench_slots
from kvrocks_node import Client, Cluster, Error

WAYS = {
    "haul": bench_slots.TYPES["haul"],
    "raw-key-value": bench_slots.TYPES["raw-key-value-1024"],
    "redis-command": bench_slots.TYPES["redis-command"],
    "rsync": {},
    "checkpoint": {},
}
FIGURES = ["seconds", "cpu_s", "pause_ms", "acknowledged", "lost"]
KINDS = {"hash": "hashes of 100 fields of 100 bytes", "string": "strings of 1 KiB"}
VALUE = "x" * 100


def write(ports, rate, orders, answers):
    """A process of its own. One SET at a time, until it gets an order; the pause is counted from "mark" on."""
    client, port, number, pause = None, 0, 0, 0.0
    due = last = time.monotonic()
    while True:
        if orders.poll():
            if orders.recv() == "stop":
                break
            pause, last = 0.0, time.monotonic()
        try:
            client = client or Client(ports[port])
            client.call("set", f"late:{number}", VALUE)
        except (OSError, Error):
            client, port = None, 1 - port
            time.sleep(0.0005)
            continue
        now = time.monotonic()
        pause, last = max(pause, now - last), now
        number += 1
        due = max(due + 1 / rate, now)
        time.sleep(max(0.0, due - time.monotonic()))
    answers.send((number, pause * 1000))


def copy(source, target):
    """Copies a directory with rsync, as durable as haul's result. Returns its CPU seconds."""
    process = subprocess.Popen(["rsync", "-r", "--whole-file", "--fsync", source + "/", target + "/"])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError("rsync failed")
    return usage.ru_utime + usage.ru_stime


def checkpoint(node):
    node.call("bgsave")
    node.wait_for(lambda: node.info("persistence").get("bgsave_in_progress") == "0"
                  and os.path.isdir(os.path.join(node.directory, "backup")), "the checkpoint")
    return os.path.join(node.directory, "backup")


def move(way, cluster):
    """Moves all slots from the first node to the second. Returns CPU seconds."""
    a, b = cluster.nodes
    if way not in ("rsync", "checkpoint"):
        before = bench_slots.cpu_seconds(a) + bench_slots.cpu_seconds(b)
        a.call("clusterx", "migrate", "0-16383", b.id, "sync")
        return bench_slots.cpu_seconds(a) + bench_slots.cpu_seconds(b) - before
    cpu = -bench_slots.cpu_seconds(a)
    source = checkpoint(a) if way == "checkpoint" else a.database()
    if way == "checkpoint":
        cpu += copy(source, b.database())
    cpu += bench_slots.cpu_seconds(a)
    a.stop()
    if way == "rsync":
        cpu += copy(source, b.database())
    b.start()
    cluster.slots = {b.id: "0-16383"}
    cluster.tell([b])
    return cpu + bench_slots.cpu_seconds(b)


def missing(node, count):
    client = node.client()
    replies = client.pipeline([("get", f"late:{i}") for i in range(count)], 1000)
    client.close()
    return sum(1 for reply in replies if reply != VALUE.encode())


def run_once(way, prepared, rate):
    settings = dict(prepared.settings)
    if way != "haul":
        settings.update(bench_slots.UPSTREAM)
    settings.update(WAYS[way])
    binary = bench_slots.BINARY if way == "haul" else bench_slots.BASELINE
    cluster = Cluster(binary, 2, {"a": settings, "b": settings})
    try:
        a, b = cluster.nodes
        prepared.put_into(a)
        cluster.tell()
        if way in ("rsync", "checkpoint"):
            b.stop()
            shutil.rmtree(b.database())
        orders, far_orders = multiprocessing.Pipe()
        answers, far_answers = multiprocessing.Pipe()
        writer = multiprocessing.Process(target=write, args=([a.port, b.port], rate, far_orders, far_answers),
                                         daemon=True)
        writer.start()
        bench_slots.touch_memory(cluster.directory, prepared.mib * 2)
        time.sleep(1)
        orders.send("mark")
        figures, start = {}, time.monotonic()
        figures["cpu_s"] = move(way, cluster)
        figures["seconds"] = time.monotonic() - start
        time.sleep(0.5)
        orders.send("stop")
        figures["acknowledged"], figures["pause_ms"] = answers.recv()
        writer.join()
        figures["lost"] = missing(b, figures["acknowledged"])
        return figures
    finally:
        cluster.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=512)
    parser.add_argument("--kind", choices=list(KINDS), default="hash")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--json")
    options = parser.parse_args()
    options.value_size, options.prepared, options.compression = 1024, None, "no"
    prepared = bench_slots.Prepared(options)
    runs = {way: [] for way in options.ways.split(",")}
    print(f"{options.mib} MiB of {KINDS[options.kind]}, {options.rate} writes/s")
    print(f"{'way':15}", *(f"{figure:>13}" for figure in FIGURES), flush=True)
    try:
        for _ in range(options.runs):
            for way, list_of in runs.items():
                list_of.append(run_once(way, prepared, options.rate))
                print(f"{way:15}", *(f"{list_of[-1][figure]:13.2f}" for figure in FIGURES), flush=True)
    finally:
        prepared.close()
    if options.json:
        medians = {way: {figure: statistics.median(run[figure] for run in list_of) for figure in FIGURES}
                   for way, list_of in runs.items()}
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"mib": options.mib, "rate": options.rate, "runs": runs, "medians": medians}, file, indent=1)


if __name__ == "__main__":
    main()
