#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""purged_log.py: the write-ahead log disappears in the middle of a migration: are the writes in it lost?

Upstream's way and migrate-transport haul run one after the other. A client writes new keys while the slots are copied
slowly. Then the log that holds these writes disappears, in one of three ways:
    purged   RocksDB removes it: it keeps no log behind its memtables (rocksdb.wal_ttl_seconds 0, wal_size_limit_mb 0)
    removed  a script deletes the files once RocksDB no longer needs them, as a clean-up of the disk would
    unlogged the writes were never logged: rocksdb.write_options.disable_wal
A migration must not succeed without these writes. libhaul keeps RocksDB from purging. In the two other cases it must
notice the gap and end the job: the slots stay at the source, complete, and the server's log names the cause.
    purged_log.py [--upstream raw-key-value|redis-command] [--only purged|removed|unlogged] [--json FILE]
KVROCKS_BIN names a Kvrocks that was built with server_patch; KVROCKS_UNPATCHED_BIN, if set, the one for upstream's way.
"""
import argparse
import json
import os
import sys
import time

from kvrocks_node import UPSTREAM, Cluster, Error

BINARY = os.environ.get("KVROCKS_BIN", "")
UNPATCHED = os.environ.get("KVROCKS_UNPATCHED_BIN", BINARY)
LATE = 2000
COMMON = {"rocksdb.wal_ttl_seconds": 0, "rocksdb.wal_size_limit_mb": 0}
TYPES = {
    "raw-key-value": {"migrate-type": "raw-key-value", "migrate-batch-rate-limit-mb": 1, **UPSTREAM},
    "redis-command": {"migrate-type": "redis-command", "migrate-speed": 256, "migrate-pipeline-size": 16, **UPSTREAM},
    "haul": {"migrate-rdma-rate-limit-mb": 1},
}
# How haul must end: its result, and who owns the slots then.
EXPECTED = {"purged": ("success", "destination"), "removed": ("fail", "source"), "unlogged": ("fail", "source")}


def log_files(node):
    names = os.listdir(node.database())
    archive = os.path.join(node.database(), "archive")
    return {n for n in names if n.endswith(".log")}, set(os.listdir(archive)) if os.path.isdir(archive) else set()


def lose_log(node, way):
    """Flush everything. True: no old log file is left, and the migration still runs."""
    before, _ = log_files(node)
    node.call("compact")
    if way == "unlogged":
        return True
    if way == "removed":
        for name in before & log_files(node)[0]:
            os.remove(os.path.join(node.database(), name))

    def gone_or_over():
        live, archived = log_files(node)
        return not before & (live | archived) or node.cluster_info()["migrating_state"] != "start"
    node.wait_for(gone_or_over, "the purge of the log")
    return node.cluster_info()["migrating_state"] == "start"


def count(node, keys):
    client = node.client()
    replies = client.pipeline([("get", f"late:{i}") for i in range(keys)])
    client.close()
    return sum(1 for i, reply in enumerate(replies) if reply == str(i).encode())


def owner_of(a, b):
    try:
        return a if a.call("set", "owner", "a") == b"OK" else None
    except Error:
        return b


def print_log(node):
    """What an operator finds in the server's log about the end."""
    for line in dict.fromkeys(node.log().splitlines()):
        if "igrat" in line and ("[W]" in line or "[E]" in line) or "ucceed to migrate" in line:
            print(f"    source: {line}")


def demonstrate(way, kind):
    """(acknowledged writes that the owner lacks, result, owner)"""
    settings = dict(COMMON, **TYPES[kind])
    if way == "unlogged":
        settings["rocksdb.write_options.disable_wal"] = "yes"
    cluster = Cluster(BINARY if kind == "haul" else UNPATCHED, 2, {"a": settings, "b": settings})
    try:
        a, b = cluster.nodes
        client = a.client()
        # Hashes: upstream sends each as a batch of its own, so that its rate limit applies.
        client.pipeline([("hset", f"fill:{i}", "f", os.urandom(2000).hex()) for i in range(2000)])
        cluster.migrate(a, b)
        a.wait_for(lambda: b.cluster_info().get("import_state") == "start", "the import")
        time.sleep(1)  # the copy has begun; it takes eight seconds at this rate
        replies = client.pipeline([("set", f"late:{i}", i) for i in range(LATE)])
        acknowledged = sum(1 for reply in replies if reply == b"OK")
        gone = lose_log(a, way)
        a.wait_for(lambda: a.cluster_info()["migrating_state"] != "start", "the end")
        result, owner = a.cluster_info()["migrating_state"], owner_of(a, b)
        lost = acknowledged - count(owner, LATE)
        name = "source" if owner is a else "destination"
        print(f"{way}, {kind}: the log {'went while it copied' if gone else 'stayed until the end'}; the migration "
              f"ended: {result}; owner: {name}; acknowledged {acknowledged}, lost {lost}")
        print_log(a)
        return lost, result, name
    finally:
        cluster.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", nargs="?", help="ignored: ctest gives every suite the tool")
    parser.add_argument("--upstream", choices=["raw-key-value", "redis-command"], default="raw-key-value")
    parser.add_argument("--only", choices=list(EXPECTED))
    parser.add_argument("--json")
    options = parser.parse_args()
    if not BINARY:
        print("SKIPPED kvrocks_purged_log: KVROCKS_BIN is not set")
        return 77
    ways = [options.only] if options.only else list(EXPECTED)
    passed, lost_by = 0, {}
    for way in ways:
        lost_upstream = demonstrate(way, options.upstream)[0]
        lost, *end = demonstrate(way, "haul")
        print(f"{way}: upstream lost {lost_upstream} acknowledged writes, haul {lost}\n", flush=True)
        passed += lost == 0 and tuple(end) == EXPECTED[way]
        lost_by[way] = {options.upstream: lost_upstream, "haul": lost}
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"acknowledged": LATE, "lost": lost_by}, file, indent=1)
    print(f"{passed} passed, {len(ways) - passed} failed")
    return 0 if passed == len(ways) else 1


if __name__ == "__main__":
    sys.exit(main())
