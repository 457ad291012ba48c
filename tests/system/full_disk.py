"""A service whose disk fills up. Run in a mount namespace of its own, where it mounts a small disk; prints what it saw.

Arguments: FOLDER RESERVE_MIB. The folder is outside of the small disk; with no reserve the spool has no room either.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

import paho.mqtt.client as mqtt  # noqa: E402
from harness import Mosquitto, Wardwatt, eventually  # noqa: E402

SITE = """\
site: {id: ward, name: {zh: 医院, en: Hospital}, time_zone: UTC}
rooms:
  - {id: o2, kind: oxygen_station, name: {zh: 氧气站, en: Oxygen station}}
equipment:
  - {id: out, class: oxygen_outlet_station, room: o2, anomaly: {off: true}}
"""
TOPIC = "ward/o2/out/telemetry"


class Gateway:
    """Publishes the pressure, each reading with a time of its own."""

    def __init__(self, broker):
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="gateway")
        self.client.username_pw_set(broker.USER, broker.PASSWORD)
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()
        self.sent = []

    def send(self, pressure):
        at_ms = max(time.time_ns() // 1_000_000, self.sent[-1] + 1 if self.sent else 0)
        payload = json.dumps({"ts": at_ms, "outlet_pressure": pressure})
        self.client.publish(TOPIC, payload, qos=1).wait_for_publish(30)
        self.sent.append(at_ms)


def fill(path):
    """Write until the disk is full, as somebody's logs do."""
    with path.open("ab", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                pass


def main():
    folder, reserve = Path(sys.argv[1]), sys.argv[2]
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", disk], check=True)
    (folder / "site.yaml").write_text(SITE, encoding="utf-8")
    broker = Mosquitto(folder / "mosquitto").start()
    service = Wardwatt(
        folder / "service", "run", "--site", folder / "site.yaml", "--broker", broker.url, "--spool-reserve", reserve,
        data=disk / "data",
    )  # fmt: skip
    seen = {}
    try:
        service.start()
        gateway = Gateway(broker)
        gateway.send(500)
        eventually(lambda: service.get("health")["collector"]["stored"] == 1)
        fill(disk / "filler")

        # The store is the first to find no room; without a reserve the spool is the next.
        words = "cannot be written" if reserve == "0" else "readings wait on disk"

        def struck():
            gateway.send(500)
            return [problem for problem in service.get("health")["problems"] if words in problem]

        seen["told"] = eventually(struck, 60, "nobody says that the disk is full")[0]

        def rings():
            gateway.send(300)
            time.sleep(0.3)
            return [a for a in service.get("alerts")["alerts"] if a["priority"] == "P1" and a["equipment"] == "out"]

        seen["alarms"] = len(eventually(rings, 60, "no alarm with the disk full"))
        health = service.get("health")
        seen["before"] = {
            "spool": health["spool"]["state"], "waiting": health["spool"]["readings"],
            "watching": health["collector"]["watching"], "stored": health["collector"]["store_available"],
        }  # fmt: skip
        (disk / "filler").unlink()
        gateway.send(300)

        def over():
            health = service.get("health")
            stored = service.readings("out/outlet_pressure")[0]
            return len(stored) == len(gateway.sent) and health["status"] == "ok" and stored

        stored = eventually(over, 60, "not everything is stored after there was room again")
        seen["sent"], seen["same"] = len(gateway.sent), stored == [at * 1000 for at in gateway.sent]
        seen["reserve"] = (disk / "data" / "reserve").exists()
        service.interrupt()
    finally:
        service.stop()
        broker.stop()
        seen["said"] = service.said()[-4000:]
        print(json.dumps(seen))


if __name__ == "__main__":
    main()
