"""websocket.py ADDRESS DOMAIN CA SILENCE: opens wss://DOMAIN/ws at ADDRESS, says something, is silent for SILENCE
seconds, says something again. Prints what comes back. The protocol as RFC 6455 has it, by Python's own library alone."""

import base64
import hashlib
import os
import socket
import ssl
import sys
import time

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


def opened(stream, domain):
    key = base64.b64encode(os.urandom(16)).decode()
    lines = ["GET /ws HTTP/1.1", f"Host: {domain}", "Upgrade: websocket", "Connection: Upgrade"]
    lines += [f"Origin: https://{domain}", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", ""]
    stream.write("\r\n".join(lines).encode())
    head = [stream.readline().decode().strip()]
    while head[-1]:
        head.append(stream.readline().decode().strip())
    wanted = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
    accepted = [line.split(":", 1)[1].strip() for line in head if line.lower().startswith("sec-websocket-accept:")]
    if not head[0].startswith("HTTP/1.1 101 ") or accepted != [wanted]:
        sys.exit(f"no websocket: {head}")


def send(stream, opcode, data):
    """A visitor's frames are masked."""
    mask = os.urandom(4)
    length = bytes([128 | len(data)]) if len(data) < 126 else bytes([128 | 126]) + len(data).to_bytes(2, "big")
    stream.write(bytes([128 | opcode]) + length + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))


def exactly(stream, count):
    data = b""
    while len(data) < count:
        piece = stream.read(count - len(data))
        if not piece:
            sys.exit("the connection was closed")
        data += piece
    return data


def receive(stream):
    while True:
        first, length = exactly(stream, 2)
        if length == 126:
            length = int.from_bytes(exactly(stream, 2), "big")
        data = exactly(stream, length)
        if first & 15 == PING:
            send(stream, PONG, data)
        elif first & 15 == CLOSE:
            sys.exit(f"the server closes it: {data!r}")
        elif first & 15 == TEXT:
            return data.decode()


address, domain, ca, silence = sys.argv[1:]
plain = socket.create_connection((address, 443), timeout=20)
with ssl.create_default_context(cafile=ca).wrap_socket(plain, server_hostname=domain) as secure:
    stream = secure.makefile("rwb", buffering=0)
    opened(stream, domain)
    send(stream, TEXT, "first".encode())
    print(receive(stream), flush=True)
    time.sleep(float(silence))
    long = "nach der Pause ✓ " * 20
    send(stream, TEXT, long.encode())
    print("the same" if receive(stream) == long else "something else")
    send(stream, CLOSE, (1000).to_bytes(2, "big"))
