# SPDX-License-Identifier: Apache-2.0
"""kvrocks_node.py: Kvrocks processes for tests, a small RESP client, a cluster of them."""
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

# In the soft-RoCE rig: the address of its device. Clients use the loopback device.
ADDRESS = os.environ.get("HAUL_RIG_ADDRESS", "127.0.0.1")
TRANSPORT = "tcp" if ADDRESS == "127.0.0.1" else "rdma"
# Waits end with an event; this limit only ends a hanging test, on the slowest machine.
DEADLINE_S = int(os.environ.get("KVROCKS_DEADLINE_S", "120"))
# A Kvrocks without the patch does not know these settings.
UPSTREAM = {"migrate-transport": None, "migrate-rdma-transport": None}
# The default of migrate-rdma-listen is the Redis port and this.
LISTEN_ABOVE = 15000
# kvrocks-controller sends the next version of the topology so soon after each CLUSTERX MIGRATE.
RAISE_AFTER_S = 0.1


class Error(Exception):
    """An error reply of the server."""


class Client:
    """One connection; replies are bytes, int, list or None."""

    def __init__(self, port, timeout=DEADLINE_S, host="127.0.0.1"):
        self.socket = socket.create_connection((host, port), timeout=timeout)
        self.file = self.socket.makefile("rb")

    def close(self):
        self.file.close()
        self.socket.close()

    @staticmethod
    def encode(arguments):
        parts = [b"*%d\r\n" % len(arguments)]
        for argument in arguments:
            if not isinstance(argument, bytes):
                argument = str(argument).encode()
            parts.append(b"$%d\r\n%s\r\n" % (len(argument), argument))
        return b"".join(parts)

    def read(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the connection was closed")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b"-":
            raise Error(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            if size < 0:
                return None
            data = self.file.read(size + 2)
            if len(data) != size + 2:
                raise ConnectionError("the connection was closed")
            return data[:-2]
        if kind == b"*":
            return None if int(rest) < 0 else [self.read() for _ in range(int(rest))]
        raise ValueError(line)

    def send(self, *arguments):
        self.socket.sendall(self.encode(arguments))

    def call(self, *arguments):
        self.send(*arguments)
        return self.read()

    def pipeline(self, commands, size=200):
        """All replies, with errors as values."""
        replies = []
        for start in range(0, len(commands), size):
            chunk = commands[start : start + size]
            self.socket.sendall(b"".join(self.encode(command) for command in chunk))
            for _ in chunk:
                try:
                    replies.append(self.read())
                except Error as error:
                    replies.append(error)
        return replies


# Nodes of other network namespaces have ports that look free here.
ports_given = set()


def free_port():
    """A port that is free, and so is the default of migrate-rdma-listen. Both lie below the system's range of
    ephemeral ports, so that they are still free when a killed node comes back."""
    while True:
        with socket.socket() as low, socket.socket() as high:
            port = 10000 + int.from_bytes(os.urandom(2), "big") % 2700
            try:
                low.bind(("127.0.0.1", port))
                high.bind(("127.0.0.1", port + LISTEN_ABOVE))
            except OSError:
                continue
            if port not in ports_given:
                ports_given.add(port)
                return port


def free_high_port():
    """A port to which LISTEN_ABOVE cannot be added."""
    while True:
        with socket.socket() as probe:
            port = 51000 + int.from_bytes(os.urandom(2), "big") % 9000
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Node:
    # What every node gets in its environment besides.
    environment = {}

    def __init__(self, binary, directory, name, settings=None, place=None):
        """`place`: (address, network namespace or None) of a node that is not reached by the loopback device."""
        self.binary, self.name = binary, name
        self.host, self.namespace = place or ("127.0.0.1", None)
        self.address = self.host if place else ADDRESS
        self.id = (name * 40)[:40]
        self.port = free_port()
        self.directory = os.path.join(directory, name)
        self.settings = {
            "bind": " ".join(dict.fromkeys((self.host, self.address))),
            "port": self.port,
            "dir": self.directory,
            "cluster-enabled": "yes",
            "workers": 2,
            "migrate-transport": "haul",
            "migrate-rdma-transport": TRANSPORT,
            "rocksdb.compression": "no",
            "rocksdb.write_buffer_size": 16,
            "log-level": "info",
            "log-dir": "stdout",
        }
        self.settings.update(settings or {})
        self.port = self.settings["port"]
        self.process, self.password = None, ""
        os.makedirs(self.directory)

    def start(self):
        path = os.path.join(self.directory, "kvrocks.conf")
        with open(path, "w", encoding="utf-8") as file:
            for key, value in self.settings.items():
                if value is not None:
                    file.write(f"{key} {value}\n")
        there = ["ip", "netns", "exec", self.namespace] if self.namespace else []
        with open(os.path.join(self.directory, "output"), "ab") as output:
            self.process = subprocess.Popen(
                [*there, self.binary, "-c", path], stdout=output, stderr=subprocess.STDOUT,
                env={**os.environ, **Node.environment}
            )
        self.wait_for(lambda: self.call("ping") == b"PONG")
        return self

    def wait_for(self, condition, what="the condition", limit_s=DEADLINE_S):
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            if self.process is not None and self.process.poll() is not None:
                raise AssertionError(f"{self.name} ended: {self.log()[-2000:]}")
            try:
                value = condition()
                if value:
                    return value
            except (OSError, Error):
                pass
            time.sleep(0.02)
        raise AssertionError(f"{self.name}: {what} did not come: {self.log()[-3000:]}")

    def client(self, timeout=DEADLINE_S):
        client = Client(self.port, timeout, self.host)
        if self.password:
            client.call("auth", self.password)
        return client

    def call(self, *arguments, timeout=DEADLINE_S):
        client = self.client(timeout)
        try:
            return client.call(*arguments)
        finally:
            client.close()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def pause(self):
        """As if its machine had stopped: connections stay, and nobody answers."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(DEADLINE_S)
            self.process = None

    def database(self):
        return os.path.join(self.directory, "db")

    def remove_database(self):
        """As if its disk had been replaced; nodes.conf is still there."""
        shutil.rmtree(self.database())

    def log(self):
        with open(os.path.join(self.directory, "output"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def fields(self, *command, timeout=DEADLINE_S):
        fields = {}
        for line in self.call(*command, timeout=timeout).decode().splitlines():
            if ":" in line:
                key, value = line.split(":", 1)
                fields[key] = value.strip()
        return fields

    def info(self, section, timeout=DEADLINE_S):
        return self.fields("info", section, timeout=timeout)

    def cluster_info(self, timeout=DEADLINE_S):
        return self.fields("cluster", "info", timeout=timeout)


class Cluster:
    """Nodes "a", "b", ...: "a" has all the slots at first."""

    def __init__(self, binary, count=2, settings=None, replica_of=None):
        self.directory = tempfile.mkdtemp(prefix="haul-kvrocks-")
        self.version = 0
        self.nodes = []
        self.replica_of = replica_of or {}
        # Ports that a node is told instead of the real ones: {node: {other node: port}}.
        self.ports_told = {}
        # If set: what all nodes are told as the address of all.
        self.address = None
        # Does migrate() raise the version? False: as if the controller ended in between.
        self.raises = True
        self.lock = threading.RLock()
        self.closed = threading.Event()
        self.binary = binary
        for name in "abcdef"[:count]:
            self.add_node(name, (settings or {}).get(name))
        self.slots = {node.id: "0-16383" for node in self.nodes[:1]}
        if self.nodes:
            self.tell()

    def add_node(self, name, settings=None, binary=None, place=None):
        """A running node that no topology names yet."""
        node = Node(binary or self.binary, self.directory, name, settings, place)
        self.nodes.append(node.start())
        return node

    def tell(self, nodes=None):
        """CLUSTERX SETNODES on all (or these) nodes, with the next version."""
        with self.lock:
            self.version += 1
            for node in nodes or self.nodes:
                self.repeat(node)

    def repeat(self, node, timeout=DEADLINE_S):
        """CLUSTERX SETNODES on one node, with the present version; a replica that loads a database takes it later."""
        with self.lock:
            deadline = time.monotonic() + timeout
            while True:
                try:
                    node.call("clusterx", "setnodeid", node.id, timeout=timeout)
                    node.call("clusterx", "setnodes", self.text(node), self.version, timeout=timeout)
                    return
                except Error as error:
                    if "LOADING" not in str(error) or time.monotonic() > deadline:
                        raise
                time.sleep(0.02)

    def text(self, receiver=None):
        told = self.ports_told.get(receiver, {})
        lines = []
        for node in self.nodes:
            master = self.replica_of.get(node.name)
            role = f"slave {(master * 40)[:40]}" if master else "master -"
            slots = "" if master else self.slots.get(node.id, "")
            address = self.address or node.address
            lines.append(f"{node.id} {address} {told.get(node, node.port)} {role} {slots}".strip())
        return "\n".join(lines)

    def migrate(self, source, target, slots="0-16383", mode="async"):
        """CLUSTERX MIGRATE, and soon after it the next version with the same slots, as kvrocks-controller does.
        With "sync" all running nodes have both behind them at the end."""
        raised = threading.Event()
        if self.raises:
            threading.Thread(target=self.raise_version, args=(raised,), daemon=True).start()
        else:
            raised.set()
        reply = source.call("clusterx", "migrate", slots, target.id, mode)
        if mode == "sync":
            raised.wait(DEADLINE_S)
        return reply

    def raise_version(self, raised):
        """A node that is down gets the topology when it is back, from whoever sends a version next."""
        self.closed.wait(RAISE_AFTER_S)
        with self.lock:
            self.version += 1
            version, behind = self.version, self.nodes
        while not self.closed.is_set() and behind and version == self.version:
            behind = [node for node in behind if not self.takes_topology(node)]
            raised.set()
            self.closed.wait(RAISE_AFTER_S)
        raised.set()

    def takes_topology(self, node):
        try:
            self.repeat(node, timeout=5)
            return True
        except (OSError, Error):
            return False

    def close(self, keep=False):
        self.closed.set()
        for node in self.nodes:
            if node.process is not None:
                node.kill()
        if not keep:
            shutil.rmtree(self.directory, ignore_errors=True)
