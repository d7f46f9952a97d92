#!/usr/bin/env python3
"""Two ships are cut off. A new app version and its image reach one by a file, its reports the core by another; files again, in between, damaged, or for the other ship change nothing; healed, nothing restarts."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import *


def body(world):
    wan = world.network()
    core = world.core(wan)
    ship = world.site(core, wan, "vessel-7")
    other = world.site(core, wan, "vessel-8")
    core.apply(till("4.2"))
    push(core, world, "4.2")
    wait_until("the till answers at both", lambda: till_serves(ship, "4.2") and till_serves(other, "4.2"), 60)
    wait_until("the core knows", lambda: app_ready(core), 30)
    ship.cut()
    other.cut()
    wait_until("the core sees that they are out of touch", lambda: not in_touch(core, "vessel-7") and not in_touch(core, "vessel-8"), 60)
    say("two ships run the till, and are cut off")

    stick = world.folder + "/stick"
    os.mkdir(stick)
    push(core, world, "4.3")
    core.apply(till("4.3"))
    there = f"{stick}/vessel-7.courier"
    packed = json.loads(core.skerry("courier", "pack", "--site", "vessel-7", "--out", there, "-o", "json").stdout)
    if packed["images"] != "1" or packed["leftOut"] or "base" not in packed:
        raise Failure(f"not what is to go: {packed}")
    if os.path.exists(there + ".part") or os.path.getsize(there) != int(packed["size"]):
        raise Failure("the file is not whole")
    small = json.loads(core.skerry("courier", "pack", "--site", "vessel-8", "--out", f"{stick}/vessel-8.courier", "--max-size", "1k", "-o", "json").stdout)
    if small["images"] != "0" or "retail/pos:4.3" not in small["leftOut"][0]:
        raise Failure(f"an image beyond --max-size is not named: {small}")
    shown = ship.skerry("courier", "show", there).stdout
    if "core core" not in shown or "site vessel-7" not in shown or packed["base"] not in shown:
        raise Failure(f"not what the file says: {shown}")
    say(f"packed {packed['size']} bytes for vessel-7 after {packed['base']}; {small['size']} for vessel-8, whose image is left out and named")

    dry = ship.skerry("courier", "apply", there, "--dry-run").stdout
    if "would apply" not in dry:
        raise Failure(f"--dry-run says: {dry}")
    stays("looking changes nothing", lambda: till_serves(ship, "4.2"), 1)
    damaged, cut = f"{stick}/damaged", f"{stick}/cut"
    content = bytearray(open(there, "rb").read())
    content[len(content) // 2] ^= 1
    open(damaged, "wb").write(content)
    open(cut, "wb").write(open(there, "rb").read()[:-1000])
    for path, text in ((damaged, "copy it again"), (cut, "cut short"), (f"{stick}/vessel-8.courier", "it is for site vessel-8")):
        refused = ship.skerry("courier", "apply", path, check=False)
        if refused.returncode != 1 or text not in refused.stderr:
            raise Failure(f"{path} was not refused as it should be: {refused.stdout}{refused.stderr}")
    stays("none of it changed anything", lambda: till_serves(ship, "4.2"), 1)
    say("a damaged file, one that is cut short, and one for the other ship are refused with a sentence")

    ship.skerry("courier", "apply", there)
    wait_until("the new version runs", lambda: till_serves(ship, "4.3"), 30)
    running = ship.containers()
    again = ship.skerry("courier", "apply", there).stdout
    if "nothing new" not in again:
        raise Failure(f"applied again it says: {again}")
    say("applied: the container of the new image runs; applied again: nothing new")

    wait_until("the ship has settled", lambda: only_ready(ship), 30)
    back = f"{stick}/back.courier"
    ship.skerry("courier", "pack", "--parent", "--out", back)
    told = json.loads(core.skerry("courier", "apply", back, "-o", "json").stdout)
    if not told["applied"]:
        raise Failure(f"the way back: {told}")
    allocation = "till.pos.vessel-7"
    wait_until("the core shows what the ship runs", lambda: updated(core.get("allocation", allocation, "retail")), 10)
    if in_touch(core, "vessel-7"):
        raise Failure("a file is no link")
    if "nothing new" not in core.skerry("courier", "apply", back).stdout:
        raise Failure("the file of the way back applied twice")
    events = core.skerry("get", "events", "-A").stdout
    if "CourierApplied" not in events:
        raise Failure("no event tells of the file")
    later = json.loads(core.skerry("courier", "pack", "--site", "vessel-7", "--out", there, "-o", "json").stdout)
    if int(later["base"]) <= int(packed["base"]) or later["images"] != "0" or int(later["size"]) > 20_000:
        raise Failure(f"the base did not move: {packed} {later}")
    say(f"packed back: the core shows its status, and the next file begins at {later['base']} ({later['size']} bytes)")

    ship.restart("kill")
    wait_until("the ship's API is back", lambda: instances(ship), 20)
    before = ship.links[0].total()
    ship.heal()
    wait_until("it is in touch", lambda: in_touch(core, "vessel-7"), 60)
    wait_until("the core agrees", lambda: updated(core.get("allocation", allocation, "retail")), 30)
    stays("nothing restarts", lambda: ship.containers() == running and till_serves(ship, "4.3"), 2)
    if condition(core.get("site", "vessel-7"), "ByCourier"):
        raise Failure("ByCourier stays though it is in touch")
    say(f"healed: no container restarted, {ship.links[0].total() - before} bytes crossed the wire with TLS and all")


def only_ready(machine):
    return all(condition(each, "Ready").get("status") == "True" for each in instances(machine))


def updated(allocation):
    status = allocation.get("status", {})
    return status.get("readyReplicas") == 1 and status.get("updatedReplicas") == 1 and \
        status.get("observedGeneration") == allocation["metadata"]["generation"]


scenario(body)
