"""
An edge node made with pysparkplug, a library that is not ours, driven by JSON lines on its standard input.

It runs in an environment of its own, since pysparkplug wants an older paho-mqtt than we do. Each command is answered
with one line; a rebirth that is asked for is answered by the node itself, unless it was told to be deaf.
"""

import itertools
import json
import os
import sys
import threading
import time

from pysparkplug import (
    Client,
    DataType,
    DBirth,
    DData,
    DDeath,
    Device,
    EdgeNode,
    Message,
    MessageType,
    Metric,
    NBirth,
    NData,
    QoS,
    Topic,
)

GROUP, NODE, DEVICE = "Hospital", "edge-1", "dev-7"
REBIRTH = "Node Control/Rebirth"
METRICS = {
    "Electrical/Voltage A": (DataType.FLOAT, 3, 230.5),
    "Electrical/Current A": (DataType.INT16, 4, -12),
    "Electrical/Power": (DataType.DOUBLE, 5, 1500.0),
    "Breaker": (DataType.STRING, 6, "closed"),
    "Closed": (DataType.BOOLEAN, 7, True),
    "Serial": (DataType.STRING, 8, "A-113"),
}


def now_ms():
    return time.time_ns() // 1_000_000


class Edge:
    def __init__(self, port, bd_seq):
        self.deaf = False
        self.rebirths = 0
        self.lock = threading.RLock()
        self.values = {name: value for name, (_, _, value) in METRICS.items()}
        self.node = EdgeNode(
            GROUP, NODE, [self.metric(REBIRTH, DataType.BOOLEAN, 1, False)], client=Client(client_id="edge-1"),
            cmd_callback=self.commanded,
        )  # fmt: skip
        # The library counts sessions from 0 in each process; a node remembers its last one.
        self.node._EdgeNode__bd_seq_cycler = itertools.cycle([(bd_seq + i) % 256 for i in range(256)])
        self.device = Device(DEVICE, [self.metric(n, kind, alias, v) for n, (kind, alias, v) in METRICS.items()])
        self.node.register(self.device)
        self.node.connect("127.0.0.1", port=port)
        while not self.node._connected:
            time.sleep(0.01)

    def metric(self, name, kind, alias, value, historical=False, at_ms=None):
        return Metric(
            timestamp=at_ms or now_ms(), name=name, datatype=kind, value=value, alias=alias, is_historical=historical
        )

    def publish(self, kind, payload, device=None, dtypes=False):
        topic = Topic(message_type=kind, group_id=GROUP, edge_node_id=NODE, device_id=device)
        self.node._client.publish(Message(topic, payload, QoS.AT_MOST_ONCE, False), include_dtypes=dtypes)

    def commanded(self, _node, message):
        if any(metric.name == REBIRTH and metric.value for metric in message.payload.metrics):
            self.rebirths += 1
            if not self.deaf:
                self.rebirth()

    def rebirth(self, device=True):
        with self.lock:
            self.node._EdgeNode__seq_cycler = itertools.cycle(range(256))
            own = (*self.node.metrics.values(), self.bd_metric())
            self.publish(MessageType.NBIRTH, NBirth(timestamp=now_ms(), seq=self.node._seq, metrics=own))
            if device:
                self.publish(MessageType.DBIRTH, self.device_birth(), DEVICE)

    def bd_metric(self):
        # After `connect` the library has set up the will of the connection to come; the present one is the one before.
        will = self.node._bd_seq_metric
        return Metric(timestamp=now_ms(), name="bdSeq", datatype=DataType.INT64, value=(will.value - 1) % 256)

    def device_birth(self):
        metrics = tuple(self.metric(n, kind, alias, self.values[n]) for n, (kind, alias, _) in METRICS.items())
        return DBirth(timestamp=now_ms(), seq=self.node._seq, metrics=metrics)

    def data(self, values, by="alias", at_ms=None, historical=False, skip=0):
        with self.lock:
            for _ in range(skip):
                self.node._seq  # noqa: B018 - counts
            metrics = []
            for name, value in values.items():
                kind, alias, _ = METRICS[name]
                self.values[name] = value
                told = (None, alias) if by == "alias" else (name, None)
                metrics.append(self.metric(told[0], kind, told[1], value, historical, at_ms))
            payload = DData(timestamp=now_ms(), seq=self.node._seq, metrics=tuple(metrics))
            self.publish(MessageType.DDATA, payload, DEVICE, dtypes=by == "name")

    def swapped(self, first, second):
        """Send two messages in the wrong order."""
        with self.lock:
            seqs = [self.node._seq, self.node._seq]
            for values, seq in ((second, seqs[1]), (first, seqs[0])):
                metrics = tuple(self.metric(None, METRICS[n][0], METRICS[n][1], v) for n, v in values.items())
                self.publish(MessageType.DDATA, DData(timestamp=now_ms(), seq=seq, metrics=metrics), DEVICE)

    def device_death(self):
        with self.lock:
            self.publish(MessageType.DDEATH, DDeath(timestamp=now_ms(), seq=self.node._seq), DEVICE)

    def device_back(self):
        with self.lock:
            self.publish(MessageType.DBIRTH, self.device_birth(), DEVICE)

    def node_data(self):
        with self.lock:
            metric = self.metric(None, DataType.BOOLEAN, 1, False)
            self.publish(MessageType.NDATA, NData(timestamp=now_ms(), seq=self.node._seq, metrics=(metric,)))


def main():
    edge = Edge(int(sys.argv[1]), int(sys.argv[2]))
    print(json.dumps({"connected": True}), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        do = command.pop("do")
        if do == "vanish":
            os._exit(1)  # no DISCONNECT: the broker sends the will
        if do == "deaf":
            edge.deaf = command["deaf"]
        elif do == "disconnect":
            edge.node.disconnect()
        elif do != "tell":
            getattr(edge, do)(**command)
        print(json.dumps({"rebirths": edge.rebirths}), flush=True)


main()
