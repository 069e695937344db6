# SPDX-License-Identifier: Apache-2.0
"""cluster_client.py: a client of a cluster: it knows slots, follows MOVED and ASK, and tells "refused" from "unknown"."""
import binascii
import random

from kvrocks_node import Client, Error

# Replies of a node that does not have the slot, or not now. With the first ones another node may have it.
ELSEWHERE = ("CLUSTERDOWN", "LOADING", "MASTERDOWN", "READONLY")
LATER = ("ASK ", "TRYAGAIN")
# A node that is stopped or frozen answers nothing.
ANSWER_S = 5


def slot_of(key):
    """The slot of a key, by its hash tag if it has one."""
    start = key.find("{")
    end = key.find("}", start + 1)
    tag = key[start + 1 : end] if start >= 0 and end > start + 1 else key
    return binascii.crc_hqx(tag.encode(), 0) % 16384


class Refused(Exception):
    """The command was not executed; try again."""


class Moved(Refused):
    """Another node has the slot; try again at once."""


class ClusterClient:
    def __init__(self, nodes):
        self.ports = [node.port for node in nodes]
        self.hosts = {node.port: node.host for node in nodes}
        self.connections = {}
        self.owners = {}
        # The port that has answered last.
        self.answered = 0

    def connection(self, port):
        if port not in self.connections:
            self.connections[port] = Client(port, ANSWER_S, self.hosts[port])
        return self.connections[port]

    def drop(self, port):
        connection = self.connections.pop(port, None)
        if connection is not None:
            connection.close()

    def close(self):
        for port in list(self.connections):
            self.drop(port)

    def call(self, key, *arguments):
        """One attempt. Refused: not executed. OSError: nobody knows whether it was executed."""
        slot = slot_of(key)
        port = self.owners.setdefault(slot, self.ports[0])
        try:
            return self.attempt(port, arguments)
        except Error as error:
            self.redirect(slot, str(error))
            if str(error).startswith("ASK "):
                return self.ask(self.port_in(error), arguments)
            refusal = Moved if str(error).startswith("MOVED") else Refused
            raise refusal(str(error)) from error
        except OSError:
            self.owners[slot] = random.choice(self.ports)
            raise

    def attempt(self, port, arguments):
        try:
            connection = self.connection(port)
        except OSError as error:
            raise Refused("no connection") from error
        try:
            reply = connection.call(*arguments)
            self.answered = port
            return reply
        except (OSError, ValueError) as error:
            self.drop(port)
            raise ConnectionError(str(error)) from error

    def ask(self, port, arguments):
        try:
            self.attempt(port, ("asking",))
            return self.attempt(port, arguments)
        except Error as error:
            raise Refused(str(error)) from error

    @staticmethod
    def port_in(error):
        return int(str(error).rsplit(":", 1)[1])

    def redirect(self, slot, text):
        """Learn from an error reply. One that no cluster client expects is a fault of the server."""
        if text.startswith("MOVED"):
            self.owners[slot] = int(text.rsplit(":", 1)[1])
        elif text.startswith(ELSEWHERE):
            self.owners[slot] = random.choice(self.ports)
        elif not text.startswith(LATER):
            raise AssertionError(f"an unexpected reply: {text}")
