#!/usr/bin/env python3
"""What people do to a machine with a cell: rules and links taken away, instances that do not
want to stop, a second cell beside it, a full disk."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import *


def body(world):
    box = world.machine("harbour", world.network())
    box.start("up", "--label", "tier=store")
    box.skerry("apply", "-f", ROOT + "/examples/till.yaml")
    push(box, world, "4.2")
    wait_until("the till answers", lambda: till_serves(box, "4.2"), 60)
    say("a cell runs the till")
    what_others_take_away_comes_back(box)
    a_stop_takes_its_time(box)
    a_second_cell(world, box)
    a_full_disk(world)


def what_others_take_away_comes_back(box):
    """Rules and links come back by themselves, no container is touched, and an Event says so."""
    was = box.containers()
    link = re.search(rf"({box.prefix}-[0-9]+)@", box.run("ip", "-o", "link").stdout).group(1)
    for command in (["nft", "flush", "ruleset"], ["ip", "link", "del", link], ["ip", "link", "del", box.prefix + "0"]):
        box.run(*command)
        begin = time.monotonic()
        wait_until(f"the till answers after {' '.join(command)}", lambda: till_serves(box, "4.2"), 20)
        say(f"{' '.join(command)}: the till answers again after {time.monotonic() - begin:.1f} s")
    if box.containers() != was:
        raise Failure(f"the container was restarted: {was} {box.containers()}")
    wait_until("an Event says so", lambda: sum(each["spec"]["reason"] == "NetworkRepaired" for each in box.get("events")) >= 2, 10)


def a_full_disk(world):
    """What is new is refused, what runs goes on, also over a crash; there is room to delete; and it goes on by itself when there is room again."""
    box = world.machine("barge", world.networks[0])
    box.run("sh", "-c", f"mkdir -p {box.state} && mount -t tmpfs -o size=420m tmpfs {box.state}")
    box.start("up", "--label", "tier=store")
    box.skerry("apply", "-f", ROOT + "/examples/till.yaml")
    push(box, world, "4.2")
    wait_until("the till answers", lambda: till_serves(box, "4.2"), 60)
    box.apply(DEAF.replace("COUNT", "1").replace("trap '' TERM", "true").replace("6s", "1s"))
    wait_until("two containers run", lambda: len(box.containers()) == 2, 20)
    wait_until("there is a reserve", lambda: "ballast" in box.run("ls", box.state).stdout, 15)
    was = box.containers()
    box.run("sh", "-c", f"dd if=/dev/zero of={box.state}/letters bs=64k 2>/dev/null; true")
    say("the disk is full")

    def refused(what, *arguments, **more):
        begin = time.monotonic()
        done = box.skerry(*arguments, check=False, **more)
        if done.returncode == 0 or "make room" not in done.stderr or time.monotonic() - begin > 8:
            raise Failure(f"{what} on a full disk: status {done.returncode} after {time.monotonic() - begin:.1f} s: {done.stdout}{done.stderr}")
        return " ".join(done.stderr.split())

    say("refused: " + refused("apply", "apply", "-f", "-", stdin=DEAF.replace("COUNT", "1").replace("name: deaf", "name: new")))
    say("refused: " + refused("push", "image", "push", make_image(world, "4.3"), "retail/pos:4.3"))
    for round in range(2):
        box.daemon.kill()
        box.start("up", "--label", "tier=store")
        wait_until("the till is ready in the next up", lambda: instances(box)[0].get("status", {}).get("ready"), 30)
    if box.containers() != was or not till_serves(box, "4.2") or len(box.get("apps")) != 2:
        raise Failure(f"a start on a full disk touched what ran: {was} {box.containers()} {box.get('apps')}")
    say("two crashes and starts on the full disk: the same containers run, all objects are there")
    wait_until("an app can be deleted", lambda: box.skerry("delete", "app", "deaf", "-n", "retail", check=False).returncode == 0, 20)
    wait_until("and its container goes", lambda: len(box.containers()) == 1, 20)
    say("an app was deleted on the full disk")
    box.run("rm", f"{box.state}/letters")
    wait_until("there is room again", lambda: box.skerry("apply", "-f", "-", stdin=till("4.3"), check=False).returncode == 0, 15)
    push(box, world, "4.3")
    wait_until("an update runs", lambda: till_serves(box, "4.3"), 60)
    if box.daemon.stop() != 0:
        raise Failure("skerry up did not end well")
    say("with room again it goes on by itself")
    box.power_off()


DEAF = """
apiVersion: skerry/v1
kind: App
metadata: {name: deaf, namespace: retail}
spec:
  components:
  - name: ear
    image: retail/pos:4.2
    command: [/bin/sh, -c, "trap '' TERM; while :; do sleep 1; done"]
    stopGrace: 6s
    placement: {mode: spread, replicas: COUNT, sites: {matchLabels: {tier: store}}}
"""


def a_stop_takes_its_time(box):
    """The grace is the component's own, also once its App is gone, and while it lasts nothing waits."""
    before = box.containers()
    box.apply(DEAF.replace("COUNT", "12"))
    wait_until("twelve run", lambda: len(box.containers()) == len(before) + 12, 60)
    deaf = set(box.containers()) - set(before)
    begin = time.monotonic()
    box.skerry("delete", "app", "deaf", "-n", "retail")
    box.apply(DEAF.replace("COUNT", "1").replace("name: deaf", "name: next"))
    wait_until("the next one runs", lambda: set(box.containers()) - set(before) - deaf, 5)
    early = time.monotonic() - begin
    stays("those that are asked to stop have their grace", lambda: len(set(box.containers()) & deaf) == 12, 6 - early - 0.5, every=0.2)
    wait_until("then they are gone", lambda: not set(box.containers()) & deaf, 15)
    say(f"twelve that do not hear were gone after {time.monotonic() - begin:.1f} s; the next one ran after {early:.1f} s")
    box.skerry("delete", "app", "next", "-n", "retail")
    wait_until("all are gone", lambda: box.containers() == before, 15)


def a_second_cell(world, box):
    """Two cells on one machine have nothing in common, also when one is removed."""
    state, prefix, other_run = box.folder + "/twin", box.prefix + "w", box.folder + "/twin-run"
    listen = ["--listen", "127.0.0.1:7999"]

    def refused(why, *arguments):
        done = box.run(program(), *arguments, check=False, timeout=20)
        if done.returncode == 0 or why not in done.stderr:
            raise Failure(f"skerry {' '.join(arguments)} is not refused with \"{why}\": {done.stdout} {done.stderr}")

    mine = f"the skerry with state {box.state}"
    refused(f"prefix {box.prefix} is in use by {mine}, which runs", "up", "--state", state, "--prefix", box.prefix, *listen)
    refused(f"run folder {box.run_folder} is in use by {mine}, which runs", "up", "--state", state, "--run", box.run_folder, *listen)
    refused(f"prefix {box.prefix} is in use by {mine}, which runs", "reset", "--yes", "--state", state, "--run", other_run, "--prefix", box.prefix)
    box.daemon.stop()
    refused(f"prefix {box.prefix} belongs to {mine}", "up", "--state", state, "--run", other_run, "--prefix", box.prefix, *listen)
    was = box.containers()
    box.start("up", "--label", "tier=store")
    say("a second cell with the same prefix or run folder is refused, also while only the first one's containers run")

    with open(f"{world.folder}/prefixes", "a", encoding="ascii") as file:
        file.write(prefix + "\n")
    run("rm", "-rf", state, other_run)
    twin = Daemon(box, "up", ["--state", state, "--prefix", prefix, *listen, "--label", "tier=store"])
    as_twin = lambda *arguments, **more: box.run("env", f"KUBECONFIG={state}/admin.kubeconfig", program(), *arguments, **more)
    wait_until("the second cell is up", lambda: as_twin("get", "nodes").returncode == 0, 20)
    examples = read(ROOT + "/examples/till.yaml").replace("publish: 8080", "publish: 8090")
    as_twin("apply", "-f", "-", stdin=examples)
    as_twin("image", "push", make_image(world, "4.2"), "retail/pos:4.2", timeout=120)
    wait_until("the second cell's till answers", lambda: "till 4.2" in box.curl("http://localhost:8090/"), 60)
    if not till_serves(box, "4.2"):
        raise Failure("the second cell took the first one's rules away")
    say("a second cell with its own prefix runs beside it")
    twin.kill()
    # As somebody types it who stands beside the folder, and has forgotten the prefix.
    box.run("sh", "-c", f"cd {box.folder} && exec {program()} reset --yes --state twin")
    stays("the first cell's till is the same", lambda: till_serves(box, "4.2") and box.containers() == was, 2)
    left = [cgroups(prefix), prefix in box.run("ip", "-o", "link").stdout, prefix in box.run("nft", "list", "ruleset").stdout, os.path.exists(state),
            "twin" in box.run("ls", "-A", "/run").stdout, prefix in box.run("ls", "-A", "/run/skerry.prefix").stdout]
    if any(left):
        raise Failure(f"reset of the second cell left something: {left}")
    say("reset of the second takes all of its own, and nothing of the first")


scenario(body)
