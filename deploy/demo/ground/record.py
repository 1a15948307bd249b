"""Records what passes a network device as a pcap file, until SIGINT: `record.py DEVICE FILE`.

Stands in for tcpdump inside a user namespace, where tcpdump cannot give up root and therefore ends.
"""

import socket
import struct
import sys
import time

ALL_PROTOCOLS = 3
SNAPSHOT_BYTES = 262_144
ETHERNET = 1

device, path = sys.argv[1:]
frames = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS))
frames.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 << 20)
frames.bind((device, 0))
with open(path, "wb", buffering=0) as file:
    file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, SNAPSHOT_BYTES, ETHERNET))
    print(f"listening on {device}", file=sys.stderr, flush=True)
    try:
        while True:
            frame = frames.recv(SNAPSHOT_BYTES)
            now = time.time()
            header = struct.pack("<IIII", int(now), int(now % 1 * 1_000_000), len(frame), len(frame))
            file.write(header + frame)
    except KeyboardInterrupt:
        pass
