#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""purged_log.py: the write-ahead log is purged in the middle of a migration; what becomes of the writes in it?

A demonstration: upstream's raw-key-value and migrate-type rdma do the same, one after the other. While the slots are
copied slowly, new keys are written to them, and the log that they stand in goes away (a node that keeps no log behind its
memtables: rocksdb.wal_ttl_seconds 0 and wal_size_limit_mb 0). A migration must not end in success without them.
    purged_log.py
KVROCKS_BIN names a Kvrocks that was built with server_patch; KVROCKS_UNPATCHED_BIN, when set, the one for upstream's way.
"""
import os
import sys
import time

from kvrocks_node import Cluster, Error

BINARY = os.environ.get("KVROCKS_BIN", "")
UNPATCHED = os.environ.get("KVROCKS_UNPATCHED_BIN", BINARY)
LATE = 2000
COMMON = {"rocksdb.wal_ttl_seconds": 0, "rocksdb.wal_size_limit_mb": 0}
WAYS = {
    "raw-key-value": {"migrate-type": "raw-key-value", "migrate-batch-rate-limit-mb": 1, "migrate-rdma-transport": None},
    "rdma": {"migrate-type": "rdma", "migrate-rdma-rate-limit-mb": 1},
}


def log_files(node):
    names = os.listdir(node.database())
    archive = os.path.join(node.database(), "archive")
    return {n for n in names if n.endswith(".log")}, set(os.listdir(archive)) if os.path.isdir(archive) else set()


def purge(node):
    """Everything is flushed; the log of before is gone when no file of before is left."""
    before, _ = log_files(node)
    node.call("compact")

    def gone():
        live, archived = log_files(node)
        return not before & (live | archived)
    node.wait_for(gone, "the purge of the log")


def count(node, keys):
    client = node.client()
    replies = client.pipeline([("get", f"late:{i}") for i in range(keys)])
    client.close()
    return sum(1 for i, reply in enumerate(replies) if reply == str(i).encode())


def demonstrate(way):
    """The number of acknowledged writes that the owner of the slots has not got."""
    settings = dict(COMMON, **WAYS[way])
    binary = BINARY if way == "rdma" else UNPATCHED
    cluster = Cluster(binary, 2, {"a": settings, "b": settings})
    try:
        a, b = cluster.nodes
        client = a.client()
        # Hashes: each is a batch of its own upstream, so that its limit of the rate holds.
        client.pipeline([("hset", f"fill:{i}", "f", os.urandom(2000).hex()) for i in range(2000)])
        a.call("clusterx", "migrate", "0-16383", b.id, "async")
        a.wait_for(lambda: b.cluster_info().get("import_state") == "start", "the import")
        time.sleep(1)  # the copy has begun; it takes eight seconds at this rate
        replies = client.pipeline([("set", f"late:{i}", i) for i in range(LATE)])
        acknowledged = sum(1 for reply in replies if reply == b"OK")
        purge(a)
        state = a.cluster_info()["migrating_state"]
        a.wait_for(lambda: a.cluster_info()["migrating_state"] != "start", "the end")
        result = a.cluster_info()["migrating_state"]
        try:
            owner = a if a.call("set", "owner", "a") == b"OK" else None
        except Error:
            owner = b
        lost = acknowledged - count(owner, LATE)
        print(f"{way}: the log was purged in state '{state}'; the migration ended: {result}; owner: "
              f"{'source' if owner is a else 'destination'}; acknowledged {acknowledged}, lost {lost}")
        for line in dict.fromkeys(a.log().splitlines()):
            if "igrat" in line and line[0] in "WE" or "ucceed to migrate" in line:
                print(f"    source: {line}")
        return lost
    finally:
        cluster.close()


def main():
    if not BINARY:
        print("SKIPPED kvrocks_purged_log: KVROCKS_BIN is not set")
        return 77
    lost_upstream, lost_here = demonstrate("raw-key-value"), demonstrate("rdma")
    print(f"upstream lost {lost_upstream} acknowledged writes, rdma {lost_here}")
    passed = lost_here == 0
    print(f"{int(passed)} passed, {int(not passed)} failed")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
