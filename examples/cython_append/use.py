"""Appends a million readings through sensor_log, while another Python thread counts.

python examples/cython_append/use.py FOLDER       # after build.py
"""

import struct
import sys
import threading

import sensor_log

import pylog

COUNT, BATCH = 1_000_000, 10_000


def main(folder: str) -> None:
    """Append, then read the last readings back."""
    turns = 0
    is_done = threading.Event()

    def count() -> None:
        nonlocal turns
        while not is_done.is_set():
            turns += 1

    with pylog.open(folder, acks=1) as log:
        topic = log.topic("readings")
        counter = threading.Thread(target=count)
        counter.start()
        for first in range(0, COUNT, BATCH):
            sensor_log.append_readings(topic.log(), 7, first, BATCH)
        is_done.set()
        counter.join()
        for message in topic.read(offset=-2):
            (sensor,) = struct.unpack(">I", message.key())
            (reading,) = struct.unpack(">I", message.value())
            print(f"offset {message.offset()}: sensor {sensor} reads {reading}")
        print("another thread ran meanwhile" if turns else "no other thread ran")


if __name__ == "__main__":
    main(sys.argv[1])
