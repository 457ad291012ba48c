"""The gateways of the chaos test, in a process of their own: a steady stream of numbered messages with QoS 1.

    python chaos_publisher.py PORT MESSAGES A_SECOND START_MS

Nineteen of twenty messages carry their own time; the twentieth is a bare value without one. What the broker has not
answered when it goes away is sent again when it is back.
"""

import json
import sys
import threading
import time

import paho.mqtt.client as mqtt

MACHINES = 19
VALUES = ("voltage_a", "current_a", "active_power")


def message(number, start_ms):
    """Return topic and payload of message `number`."""
    turn, machine = divmod(number, MACHINES + 1)
    if machine == MACHINES:
        return "field/meter/U1", f"{bare_value(turn)}"
    return f"chaos/power-1/f{machine}/telemetry", json.dumps({"ts": time_ms(turn, start_ms), **values(number)})


def time_ms(turn, start_ms):
    return start_ms + turn * 10


def values(number):
    """Return what message `number` says: values that differ from one message to the next."""
    return {name: round(220 + (number * (7 + i)) % 1000 / 100, 2) for i, name in enumerate(VALUES)}


def bare_value(turn):
    """Return the value of the bare message of a turn: each one only once."""
    return round(200 + turn / 1000, 3)


def main(port, messages, a_second, start_ms):
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="chaos-gateways", clean_session=False)
    client.max_inflight_messages_set(2_000)
    client.max_queued_messages_set(0)
    client.reconnect_delay_set(1, 1)
    answered = threading.Semaphore(0)
    client.on_publish = lambda *_: answered.release()
    client.connect("127.0.0.1", port)
    client.loop_start()
    began = time.monotonic()
    for number in range(messages):
        client.publish(*message(number, start_ms), qos=1)
        ahead = number / a_second - (time.monotonic() - began)
        if ahead > 0.01:
            time.sleep(ahead)
    took = time.monotonic() - began
    for _ in range(messages):
        if not answered.acquire(timeout=120):
            raise SystemExit("the broker did not answer every message")
    client.disconnect()
    client.loop_stop()
    print(json.dumps({"messages": messages, "a_second": round(messages / took)}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
