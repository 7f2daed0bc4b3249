# SPDX-License-Identifier: GPL-2.0-only
# agent.py: connections to the daemon's port for agents, by a peer that does with them what a line of its input says, and
# answers it with a line. First line of output: "ready PID". Connections are numbered from 0; bytes are in hexadecimal.
#
#   listen PORT...         takes these ports away
#   open PORT [COUNT]      makes connections: "done" or "refused"
#   send N BYTES
#   receive N COUNT        that many bytes, "closed" when there are no more, or "silence" after 10 s
#   pending N              whether there is anything to read: "yes", "no" or "closed"
#   serve N DELAY [NAME..] answers all commands from now on like an agent with these loggers, after so many milliseconds
#   code N CODE            answers all commands from now on with this code, but lists
#   served N               the commands that it has read, in their order
#   count                  how many connections it has made
#   left                   how many connections the daemon has not closed; what it has sent is read and forgotten
#   close N
#   flood PORT COUNT BYTES so many connections, one after the other, with this sent on each before it is closed
#   exit
import os
import resource
import select
import socket
import struct
import sys
import threading
import time

connections = []
commands = {}
taken = []


made = 0


def connect(port):
    global made
    made += 1
    if made % 32 == 0:
        # A connection that finds no place in the daemon's queue is tried again after a second only.
        time.sleep(0.01)
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def receive(connection, count):
    data = b""
    try:
        while len(data) < count:
            more = connection.recv(count - len(data))
            if not more:
                return None
            data += more
    except ConnectionError:
        return None
    return data


def serve(number, delay, code, names):
    connection = connections[number]
    connection.settimeout(None)
    listed = b"".join(name.encode() + b"\0" for name in names)
    while True:
        header = receive(connection, 16)
        if header is None:
            return
        size, command, _ = struct.unpack(">QII", header)
        payload = receive(connection, size) if size else b""
        if payload is None:
            return
        commands[number].append((header + payload).hex())
        if command == 4:
            continue
        time.sleep(delay / 1000)
        reply = struct.pack(">I", code)
        if command == 1:
            reply = struct.pack(">I", 1)
            reply += struct.pack(">II", len(listed), len(names)) + listed
        try:
            connection.sendall(reply)
        except ConnectionError:
            return


def is_open(connection):
    try:
        return len(connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)) > 0
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


def stays_open(connection):
    try:
        while connection.recv(1 << 16, socket.MSG_DONTWAIT):
            pass
        return False
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


def send(connection, data):
    try:
        connection.sendall(data)
    except ConnectionError:
        return "closed"
    return "done"


def answer(verb, words):
    if verb == "listen":
        for port in words:
            server = socket.create_server(("127.0.0.1", int(port)))
            taken.append(server)
        return "done"
    if verb == "open":
        try:
            for _ in range(int(words[1]) if len(words) > 1 else 1):
                connections.append(connect(int(words[0])))
        except OSError:
            return "refused"
        return "done"
    if verb == "flood":
        for _ in range(int(words[1])):
            with connect(int(words[0])) as connection:
                send(connection, bytes.fromhex(words[2]))
        return "done"
    if verb == "count":
        return str(len(connections))
    if verb == "left":
        return str(sum(stays_open(connection) for connection in connections))
    number = int(words[0])
    connection = connections[number]
    if verb == "send":
        return send(connection, bytes.fromhex(words[1]))
    if verb == "receive":
        try:
            data = receive(connection, int(words[1]))
        except socket.timeout:
            return "silence"
        return "closed" if data is None else data.hex()
    if verb == "pending":
        readable, _, _ = select.select([connection], [], [], 0)
        return "no" if not readable else "yes" if is_open(connection) else "closed"
    if verb == "serve" or verb == "code":
        commands[number] = []
        delay, code, names = (int(words[1]), 1, words[2:]) if verb == "serve" else (0, int(words[1]), [])
        threading.Thread(target=serve, args=(number, delay, code, names), daemon=True).start()
        return "done"
    if verb == "served":
        return " ".join(commands[number])
    if verb == "close":
        connection.close()
        return "done"
    return "what?"


_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
print("ready", os.getpid(), flush=True)
for line in sys.stdin:
    words = line.split()
    if words == ["exit"]:
        print("bye", flush=True)
        break
    print(answer(words[0], words[1:]), flush=True)
os._exit(0)
