#!/usr/bin/env python3
"""One machine: up, image push, apply, curl, logs; Ctrl-C leaves apps running, the next up adopts them; reset leaves nothing."""
import os
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import *


def what_is_there(machine):
    """Everything of which reset must leave nothing."""
    run_in = machine.run
    return {
        "processes": sorted(read(f"/proc/{pid}/comm").strip() for pid in machine.processes() if read(f"/proc/{pid}/comm").strip() not in ("bash", "sleep", "")),  # the machine's own
        "mounts": sorted(line.split()[4] for line in read(f"/proc/{machine.pid}/mountinfo").splitlines()),
        "links": sorted(line.split()[1] for line in run_in("ip", "-o", "link").stdout.splitlines()),
        "routes": sorted(run_in("ip", "route").stdout.splitlines()),
        "rules": run_in("nft", "list", "ruleset").stdout,
        "cgroups": cgroups(machine.prefix),
        "run": sorted(run_in("ls", "-A", "/run").stdout.split()),
        "netns": sorted(run_in("sh", "-c", "ls -A /run/netns 2>/dev/null || true").stdout.split()),
        "state": os.path.exists(machine.state),
    }


def others_may_look(box):
    """A viewer's kubeconfig reads all but secrets and changes nothing, until it is taken back."""
    config = box.folder + "/viewer.kubeconfig"
    with open(config, "w", encoding="utf-8") as file:
        file.write(box.skerry("access", "grant", "vera", "-o", "kubeconfig").stdout)
    seen = box.skerry("get", "apps", "-A", "--kubeconfig", config).stdout
    if "till" not in seen:
        raise Failure("a viewer does not see the till: " + seen)
    for words in (["get", "secrets", "-A"], ["delete", "app", "till", "-n", "retail"], ["access", "grant", "eve"]):
        refused = box.skerry(*words, "--kubeconfig", config, check=False)
        if refused.returncode == 0 or "vera" not in refused.stderr:
            raise Failure(f"{words} of a viewer: {refused}")
    token = json.loads(box.skerry("access", "list", "-o", "json").stdout)["tokens"][0]
    box.skerry("access", "revoke", token["id"])
    refused = box.skerry("get", "apps", "-A", "--kubeconfig", config, check=False)
    if refused.returncode == 0 or "not known here" not in refused.stderr:
        raise Failure(f"a token that was taken back: {refused}")
    say("a viewer reads and changes nothing; its token was taken back")


def body(world):
    # A second machine on the same cable stands for the rest of the world.
    wan = world.network()
    other = world.machine("other", wan)
    box = world.machine("harbour", wan)
    before = what_is_there(box)

    box.start("up", "--label", "tier=store")
    say("skerry up runs")
    assert_not_running_twice(box)
    box.skerry("apply", "-f", ROOT + "/examples/till.yaml")

    def says_why():
        app = box.get("app", "till", "retail")
        text = json.dumps(app["status"]) + box.skerry("describe", "app", "till", "-n", "retail").stdout
        return "image push" in text
    wait_until("an app whose image is missing says which command helps", says_why, 20)
    say("without its image the app says what to do")
    pushed = push(box, world, "4.2")
    say("pushed: " + " ".join(pushed.stdout.split())[-100:])
    wait_until("the till answers on localhost", lambda: till_serves(box, "4.2"), 60)
    page = box.curl("http://localhost:8080/")
    if "Welcome aboard" not in page or "key of 14 letters" not in page:
        raise Failure(f"values of Config and Secret are not in the page: {page}")
    box.curl(f"http://{box.address}:8080/")
    other.curl(f"http://{box.address}:8080/")
    say("curl answers on localhost, on the machine's address, and from outside")

    name = instances(box)[0]["metadata"]["name"]
    wait_until("the log of the instance comes", lambda: "serving on 8080" in box.skerry("logs", name, "-n", "retail").stdout, 20)
    box.skerry("wait", "app/till", "-n", "retail", "--for=condition=Available", "--timeout=30s")
    table = box.skerry("get", "apps,allocations,instances,sites,nodes", "-A", "-o", "wide").stdout
    if "till" not in table:
        raise Failure("get shows no till:\n" + table)
    print(table)
    others_may_look(box)

    was = box.containers()
    if len(was) != 1:
        raise Failure(f"one container was wanted: {was}")
    status = box.daemon.stop()
    if status != 0:
        raise Failure(f"Ctrl-C: skerry up ended with status {status}")
    said = tail(box.daemon.log, 5)
    if "run on" not in said and "runs on" not in said and "running" not in said:
        raise Failure("Ctrl-C does not say that apps run on: " + said)
    if not till_serves(box, "4.2") or box.containers() != was:
        raise Failure("the app does not outlive skerry up")
    say("Ctrl-C: skerry is gone, the till answers")
    box.start("up", "--label", "tier=store")
    wait_until("the instance is ready again in the next up", lambda: instances(box)[0]["status"].get("ready"), 30)
    stays("the container is the same", lambda: box.containers() == was, 4)
    if instances(box)[0]["status"].get("restarts", 0) != 0:
        raise Failure("adopting counted as a restart")
    say("the next up adopts it: same process")
    wait_until("the log is still there", lambda: "serving on 8080" in box.skerry("logs", name, "-n", "retail").stdout, 20)

    box.daemon.kill()
    # A machine that gets another name from its network is the same site.
    box.run("hostname", "dhcp-77")
    box.start("up", "--label", "tier=store")
    wait_until("ready after a crash", lambda: instances(box)[0]["status"].get("ready"), 30)
    if box.containers() != was:
        raise Failure(f"a crash of skerry restarted the container: {was} {box.containers()}")
    if [each["metadata"]["name"] for each in box.get("sites")] != ["harbour"]:
        raise Failure(f"another host name made another site: {box.get('sites')}")
    box.run("hostname", box.name)
    say("kill -9 and up under another host name: same process, same site")

    survives_damaged_rows(box)
    ends_while_one_stops(box)
    a_name_is_used_again(box)
    was = box.containers()

    token = word(box.skerry("token", "create", "--node", "back-room", "--advertise", box.address).stdout, "skerry1.")
    second = world.machine("back-room", wan)
    second.start("node", "--join", token)
    wait_until("a further machine is a node of it", lambda: ready_nodes(box) == 2, 30)
    box.restart()
    wait_until("and is there after a crash", lambda: ready_nodes(box) == 2, 30)
    second.daemon.stop()
    second.power_off()
    say("a further machine joined as a node, and found its way back")

    refused = box.skerry("reset", "--yes", *box.cell_arguments(), check=False)
    if refused.returncode == 0:
        raise Failure("reset does not refuse while skerry runs")
    box.daemon.stop()
    box.skerry("reset", *box.cell_arguments(), stdin="no\n", check=False)
    if box.containers() != was:
        raise Failure("reset did something though the answer was no")
    box.run(program(), "reset", "--yes", *box.cell_arguments())
    after = wait_until("reset leaves nothing", lambda: left(before, what_is_there(box)), 10)
    if after != "nothing":
        raise Failure("left behind: " + after)
    say("reset leaves no process, mount, group, namespace, rule, link or file")

    # Somebody deletes the folder of the state alone; what runs is found all the same.
    box.start("up", "--label", "tier=store")
    box.skerry("apply", "-f", ROOT + "/examples/till.yaml")
    push(box, world, "4.2")
    wait_until("the till answers again", lambda: till_serves(box, "4.2"), 60)
    box.daemon.kill()
    box.run("sh", "-c", f"umount -l {box.state}/container/instances/*/root && rm -rf {box.state}")
    said = box.run(program(), "reset", "--yes", *box.cell_arguments()).stdout
    if "ip_forward" not in said:
        raise Failure("reset does not say what it leaves on: " + said)
    after = wait_until("reset leaves nothing", lambda: left(before, what_is_there(box)), 10)
    if after != "nothing":
        raise Failure("left behind: " + after)
    said = box.run(program(), "reset", "--yes", *box.cell_arguments()).stdout
    if "nothing" not in said:
        raise Failure("a second reset finds something: " + said)
    say("reset without the state's folder leaves nothing either")


def flip(path, kind, name):
    """A few bytes in the row of an object, in the middle of the real file."""
    with sqlite3.connect(path) as store:
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        row = store.execute("SELECT body FROM objects WHERE kind = ? AND name = ? AND erased IS NULL", (kind, name)).fetchone()
    store.close()
    with open(path, "r+b") as file:
        at = file.read().find(row[0][:48])
        if at < 0:
            raise Failure(f"the row of {name} is not found in {path}")
        file.seek(at + 20)
        file.write(bytes(each ^ 0x55 for each in row[0][20:24]))


def survives_damaged_rows(box):
    """Rule S5: rows of the store rot while skerry is down; what runs is left alone, and what can be known is known again."""
    was, name = box.containers(), instances(box)[0]["metadata"]["name"]
    app, allocation = box.get("app", "till", "retail"), box.get("allocations")[0]
    box.daemon.stop()
    for kind, lost in ((7, "till"), (8, app["status"]["revision"]), (9, allocation["metadata"]["name"]), (10, name)):
        flip(f"{box.state}/store.db", kind, lost)
    box.start("up", "--label", "tier=store")
    wait_until("it says what was damaged", lambda: "App retail/till was damaged" in box.skerry("get", "events", "-A", "-o", "yaml").stdout, 20)
    stays("what ran runs on", lambda: box.containers() == was and till_serves(box, "4.2"), 5)
    box.skerry("apply", "-f", ROOT + "/examples/till.yaml")
    wait_until("all is known again", lambda: [each["metadata"]["name"] for each in instances(box)] == [name] and app_ready(box), 60)
    if box.containers() != was:
        raise Failure(f"damaged rows restarted the container: {was} {box.containers()}")
    if box.get("allocations")[0]["metadata"]["name"] != allocation["metadata"]["name"]:
        raise Failure("another allocation was made")
    say("bytes flipped in the rows of App, Revision, Allocation and Instance: same process, all known again")


def left(before, after):
    """What is there that was not; "nothing" when all is gone."""
    for kind, found in after.items():
        if found != before[kind]:
            raise Failure(f"{kind}: {found} (before: {before[kind]})")
    return "nothing"


def assert_not_running_twice(box):
    second = box.run(program(), "up", *box.cell_arguments(), check=False, timeout=20)
    if second.returncode == 0 or "already uses" not in second.stderr:
        raise Failure(f"a second skerry up on the same state is not refused: {second.stdout} {second.stderr}")


DEAF = """
apiVersion: skerry/v1
kind: App
metadata: {name: deaf, namespace: retail}
spec:
  state: STATE
  components:
  - name: ear
    image: retail/pos:4.2
    command: [/bin/sh, -c, "trap '' TERM; while :; do sleep 1; done"]
    stopGrace: 60s
    placement:
      sites: {matchLabels: {tier: store}}
"""


def ends_while_one_stops(box):
    """Ctrl-C while a container uses its minute to stop: skerry ends at once, its state is free, and the next start goes on with the stop."""
    def deaf():
        return (instances(box, "deaf") or [{"status": {}}])[0]
    before = box.containers()
    box.apply(DEAF.replace("STATE", "running"))
    wait_until("the deaf one runs", lambda: deaf().get("status", {}).get("phase") == "Running", 30)
    both = box.containers()
    box.apply(DEAF.replace("STATE", "stopped"))
    wait_until("it is asked to stop", lambda: deaf().get("status", {}).get("phase") == "Stopping", 20)
    begin = time.monotonic()
    status = box.daemon.stop(timeout=90)
    took = time.monotonic() - begin
    if status != 0 or took > 8:
        raise Failure(f"Ctrl-C while a container stops: status {status} after {took:.1f} s")
    say(f"Ctrl-C while a container stops: ended after {took:.1f} s")
    box.start("up", "--label", "tier=store")
    wait_until("the next up goes on with the stop",
               lambda: any(event["spec"]["reason"] == "Killing" and event["spec"].get("count", 1) >= 2 for event in box.get("events")), 20)
    time.sleep(1)  # the event comes before the note of it is durable
    if box.containers() != both:
        raise Failure(f"the next start did not adopt what stops: {box.containers()}, not {both}")
    os.kill(next(pid for name, (pid, _) in both.items() if name not in before), signal.SIGKILL)
    wait_until("it is stopped", lambda: deaf().get("status", {}).get("phase") == "Stopped", 30)
    if deaf()["status"].get("restarts", 0) != 0 or box.containers() != before:
        raise Failure(f"an end that was asked for counted as a restart, or others were touched: {deaf()['status']} {box.containers()} {before}")
    box.skerry("delete", "app", "deaf", "-n", "retail")
    say("the next up goes on with the stop")


def a_name_is_used_again(box):
    """Deleted and applied in one go (rule H1): the old one, which takes its time, stops before the new one starts."""
    text = DEAF.replace("STATE", "running").replace("stopGrace: 60s", "stopGrace: 3s")
    before = box.containers()
    box.apply(text)
    def deaf():
        return {name: found for name, found in box.containers().items() if name not in before}
    old = wait_until("the deaf one runs", deaf, 30)
    box.skerry("delete", "app", "deaf", "-n", "retail", "--wait=false")
    box.apply(text)
    most, until = 1, time.monotonic() + 20
    while not (new := deaf()) or set(new) & set(old):
        most = max(most, len(new))
        if time.monotonic() > until:
            raise Failure(f"the new one does not start: {new} {old}\n" + box.skerry("get", "allocations,instances", "-A").stdout)
        time.sleep(0.05)
    if most > 1 or len(new) > 1:
        raise Failure(f"the old one and the new one ran at a time: {most} {new}")
    box.skerry("delete", "app", "deaf", "-n", "retail")
    wait_until("it is gone", lambda: box.containers() == before, 20)
    say("deleted and applied in one go: the old one stopped first")


scenario(body)
