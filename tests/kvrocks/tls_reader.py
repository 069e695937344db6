# SPDX-License-Identifier: Apache-2.0
"""tls_reader.py: what a TLS 1.3 connection carries, for somebody who forwards its records and has its secrets from one
of the ends (tls_keylog.c). For TLS_AES_256_GCM_SHA384, the only one that haul speaks."""
import ctypes
import ctypes.util
import hashlib
import hmac
import struct

HANDSHAKE, APPLICATION = 22, 23
CLIENT_HELLO_FIRST_BYTE = bytes([HANDSHAKE])
FINISHED = 20
HEAD_BYTES, TAG_BYTES, KEY_BYTES, NONCE_BYTES = 5, 16, 32, 12
RANDOM_OFFSET, RANDOM_BYTES = HEAD_BYTES + 6, 32
SET_TAG = 0x11  # EVP_CTRL_AEAD_SET_TAG


class Cipher:
    """AES-256-GCM of libcrypto."""

    library = None

    @classmethod
    def load(cls):
        if cls.library is None:
            cls.library = ctypes.CDLL(ctypes.util.find_library("crypto"))
            for name in ("EVP_CIPHER_CTX_new", "EVP_aes_256_gcm"):
                getattr(cls.library, name).restype = ctypes.c_void_p
        return cls.library

    @classmethod
    def open(cls, key, nonce, head, sealed):
        crypto = cls.load()
        context = ctypes.c_void_p(crypto.EVP_CIPHER_CTX_new())
        data, tag = sealed[:-TAG_BYTES], sealed[-TAG_BYTES:]
        out, size = ctypes.create_string_buffer(len(data) + TAG_BYTES), ctypes.c_int()
        sound = (crypto.EVP_DecryptInit_ex(context, ctypes.c_void_p(crypto.EVP_aes_256_gcm()), None, key, nonce) == 1
                 and crypto.EVP_DecryptUpdate(context, None, ctypes.byref(size), head, len(head)) == 1
                 and crypto.EVP_DecryptUpdate(context, out, ctypes.byref(size), data, len(data)) == 1
                 and crypto.EVP_CIPHER_CTX_ctrl(context, SET_TAG, TAG_BYTES, tag) == 1
                 and crypto.EVP_DecryptFinal_ex(context, None, ctypes.byref(size)) == 1)
        crypto.EVP_CIPHER_CTX_free(context)
        if not sound:
            raise ConnectionError("a TLS record does not open")
        return out.raw[:len(data)]


def expand(secret, label, size):
    """HKDF-Expand-Label of RFC 8446 (7.1), for at most 48 bytes."""
    name = b"tls13 " + label
    info = struct.pack(">HB", size, len(name)) + name + b"\0"
    return hmac.new(secret, info + b"\1", hashlib.sha384).digest()[:size]


class TlsDirection:
    """One direction of a connection."""

    def __init__(self, session, name):
        self.session, self.name = session, name
        self.handshake = b""
        self.finished = False
        self.use(f"{name}_HANDSHAKE_TRAFFIC_SECRET")

    def use(self, label):
        self.label, self.key, self.number = label, None, 0

    def open(self, record):
        """The bytes of the application in it."""
        if record[0] != APPLICATION:
            if self.name == "CLIENT" and self.session.random is None:
                self.session.random = record[RANDOM_OFFSET:RANDOM_OFFSET + RANDOM_BYTES].hex()
            return b""
        if self.key is None:
            secret = self.session.secret(self.label)
            self.key, self.iv = expand(secret, b"key", KEY_BYTES), expand(secret, b"iv", NONCE_BYTES)
        nonce = (int.from_bytes(self.iv, "big") ^ self.number).to_bytes(NONCE_BYTES, "big")
        self.number += 1
        inner = Cipher.open(self.key, nonce, record[:HEAD_BYTES], record[HEAD_BYTES:]).rstrip(b"\0")
        if inner[-1] == APPLICATION:
            return inner[:-1]
        if inner[-1] == HANDSHAKE and not self.finished:
            self.follow(inner[:-1])
        return b""

    def follow(self, data):
        """The handshake, until its end: then other keys are used."""
        self.handshake += data
        while len(self.handshake) >= 4:
            end = 4 + int.from_bytes(self.handshake[1:4], "big")
            if len(self.handshake) < end:
                return
            if self.handshake[0] == FINISHED:
                self.finished = True
                self.use(f"{self.name}_TRAFFIC_SECRET_0")
            self.handshake = self.handshake[end:]


class TlsSession:
    def __init__(self, keylog):
        self.keylog, self.random = keylog, None
        self.client, self.server = TlsDirection(self, "CLIENT"), TlsDirection(self, "SERVER")

    def secret(self, label):
        """An end writes it down before it uses it."""
        with open(self.keylog, encoding="ascii") as file:
            for line in file:
                words = line.split()
                if words[:2] == [label, self.random]:
                    return bytes.fromhex(words[2])
        raise ConnectionError(f"{self.keylog} has no {label} of {self.random}")
