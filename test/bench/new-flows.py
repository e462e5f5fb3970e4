"""
Sends COUNT UDP datagrams of COUNT connections: each has a source port of its own.

Usage: new-flows.py DEVICE SRC_MAC DST_MAC SRC_IP DST_IP DST_PORT COUNT. Prints the seconds it took.
"""
import socket
import struct
import sys
import time

device, source_mac, target_mac, source, target, port, count = sys.argv[1:]


def octets(mac):
    return bytes.fromhex(mac.replace(":", ""))


def checksum(header):
    total = sum(struct.unpack("!10H", header))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def frame(source_port):
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 46, 0, 0x4000, 64, 17, 0, socket.inet_aton(source), socket.inet_aton(target))
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    return octets(target_mac) + octets(source_mac) + b"\x08\x00" + ip + struct.pack("!4H", source_port, int(port), 26, 0) + bytes(18)


frames = [frame(1024 + n) for n in range(int(count))]
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind((device, 0))
started = time.monotonic()
for one in frames:
    raw.send(one)
print(time.monotonic() - started)
