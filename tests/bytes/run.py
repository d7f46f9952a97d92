#!/usr/bin/env python3
"""What a link costs: one edit among 1,000 objects at most its item and 300 bytes, connected or after a cut; idle, beats only, and nothing to disk.

Bytes are those of a namespace's port. Payload is what TCP carries, TLS records included: bytes less 66 for each packet (Ethernet 14, IPv4 20,
TCP with timestamps 32)."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import *

APPS = int(os.environ.get("SKERRY_BYTES_APPS", "500"))
IDLE = int(os.environ.get("SKERRY_IDLE_SECONDS", "20"))
HEADERS = 66

APP = """apiVersion: skerry/v1
kind: App
metadata: {name: shelf-NUMBER, namespace: default}
spec:
  state: stopped
  components:
  - name: only
    image: default/shelf:1
    placement: {mode: each, sites: {matchLabels: {tier: store}}}
"""


class Meter:
    def __init__(self, link):
        self.link = link
        self.last = self.now()

    def now(self):
        stats = json.loads(self.link.network.ip("-s", "-j", "link", "show", "dev", self.link.port))[0]["stats64"]
        return sum(stats[way]["bytes"] for way in ("rx", "tx")), sum(stats[way]["packets"] for way in ("rx", "tx"))

    def since(self):
        """(bytes, packets, payload) since the last call."""
        now = self.now()
        length, packets = now[0] - self.last[0], now[1] - self.last[1]
        self.last = now
        return length, packets, length - HEADERS * packets


def written(machine):
    """Bytes that the daemon has sent to disk."""
    match = re.search(r"^write_bytes: (\d+)", read(f"/proc/{machine.daemon.pid}/io"), re.M)
    return int(match.group(1)) if match else 0


def settle(meter, quiet=2.5, timeout=60):
    """Waits until the link carries beats only."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        meter.since()
        time.sleep(quiet)
        if meter.since()[2] < 150 * quiet:
            return
    raise Failure("the link does not come to rest")


def body(world):
    wan = world.network()
    core = world.core(wan)
    site = world.site(core, wan, "store-1")
    begin = time.monotonic()
    core.skerry("image", "push", make_image(world, "1.0"), "default/shelf:1")
    core.skerry("apply", "-f", "-", stdin="---\n".join(APP.replace("NUMBER", str(n)) for n in range(APPS)), timeout=300)
    wait_until("all allocations reach the site", lambda: len(site.get("allocations")) == APPS, 180, every=1)
    say(f"{APPS} apps, so {2 * APPS} objects (revisions and allocations) at the site after {time.monotonic() - begin:.0f} s")
    meter = Meter(site.links[0])
    settle(meter)

    # Idle. Status that changed is written a minute after, at most once: a window that meets it is not idle yet.
    for window in range(4):
        disk = written(core), written(site)
        meter.since()
        time.sleep(IDLE)
        length, packets, payload = meter.since()
        wrote = written(core) - disk[0], written(site) - disk[1]
        if wrote == (0, 0):
            break
    beat = payload / IDLE
    say(f"idle for {IDLE} s: {length} bytes in {packets} packets, {length * 60 // IDLE} a minute; payload {payload}, {beat:.0f} a second; written to disk: core {wrote[0]}, site {wrote[1]}")
    if wrote != (0, 0):
        raise Failure(f"an idle link writes to disk: core {wrote[0]} bytes, site {wrote[1]}")
    if beat > 60:
        raise Failure(f"an idle link with a beat each second carries {beat:.0f} bytes of payload a second; a beat is about 20, and TLS adds 22")

    # One edit, connected; then one edit while cut.
    for number, is_cut in enumerate((False, True)):
        settle(meter)
        if is_cut:
            site.cut()
            wait_until("out of touch", lambda: not in_touch(core, "store-1"), 60)
        value = f"10.0.7.{number + 1}"
        begin = time.monotonic()
        meter.since()
        edit(core, value)
        if is_cut:
            time.sleep(1)
            silent = meter.since()
            begin = time.monotonic()
            site.heal()
        wait_until("the edit is at the site", lambda: site.get("site", "store-1")["spec"].get("values", {}).get("printer") == value, 60, every=0.05)
        time.sleep(1.5)
        length, packets, payload = meter.since()
        beats = beat * (time.monotonic() - begin)
        item = binary_size(without_status(core.get("site", "store-1")))
        cost = payload - beats
        say(f"one edit{' after a cut' if is_cut else ''}: {length} bytes in {packets} packets, payload {payload}, of which beats about {beats:.0f}; the item is about {item} bytes")
        if not is_cut and cost > item + 300:
            raise Failure(f"one edit cost {cost:.0f} bytes; its item and 300 were allowed")
        if is_cut:
            say(f"(reconnecting costs two TLS handshakes; {silent[0]} bytes were tried while cut)")
            if cost > item + 300 + 2 * 6500:
                raise Failure(f"one edit after a cut cost {cost:.0f} bytes; its item, 300, and two handshakes were allowed")


def without_status(found):
    found.pop("status", None)
    for name in ("apiVersion", "kind"):
        found.pop(name, None)
    found["metadata"].pop("resourceVersion", None)
    return found


def binary_size(value):
    """Of a message as protobuf writes it: a tag, a length where there is one, and the bytes."""
    if isinstance(value, dict):
        return sum(2 + binary_size(each) + (len(key) + 4 if isinstance(each, str) and key not in KNOWN else 0) for key, each in value.items())
    if isinstance(value, list):
        return sum(2 + binary_size(each) for each in value)
    if isinstance(value, str):
        return len(value)
    return 1


# Fields with numbers of their own; other names are keys of maps, which travel along.
KNOWN = {"name", "uid", "home", "creationTimestamp", "profile", "power", "beat"}


def edit(core, printer):
    found = core.get("site", "store-1")
    found["spec"]["values"] = {"printer": printer}
    found.pop("status", None)
    core.apply(found)


scenario(body)
