#!/usr/bin/env python3
"""Images: pushed as OCI layout, OCI archive, docker archive and from standard input; a transfer that is cut resumes at the byte; each blob crosses the
WAN once for a site of two nodes."""
import glob
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import *

WEIGHT = 24 << 20


def two(version):
    return till(version).replace("      replicas: 1\n", "      replicas: 2\n").replace("      publish: 8080\n", "")


# Runs inside the core: sends half of a blob, and the rest at a word.
HOLD = r"""
import base64, http.client, re, ssl, sys, tempfile
kubeconfig, path, digest = sys.argv[1:]
text, blob = open(kubeconfig).read(), open(path, "rb").read()
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
with tempfile.NamedTemporaryFile() as file:
    for field in ("client-certificate-data", "client-key-data"):
        file.write(base64.b64decode(re.search(field + r'"?: *"?([A-Za-z0-9+/=]+)', text).group(1)) + b"\n")
    file.flush()
    context.load_cert_chain(file.name)
port = int(re.search(r'server"?: *"?https://127.0.0.1:([0-9]+)', text).group(1))
server = http.client.HTTPSConnection("127.0.0.1", port, context=context)
server.putrequest("PUT", f"/blobs/v1/{digest}?size={len(blob)}&at=0")
server.putheader("Content-Length", str(len(blob)))
server.endheaders()
server.send(blob[:len(blob) // 2])
print("half", flush=True)
if sys.stdin.readline():
    server.send(blob[len(blob) // 2:])
    print(server.getresponse().status, flush=True)
"""


def take_turns(core, world):
    """A push of what another client is sending waits for its turn: then it finds the blob whole, or goes on where that one broke off."""
    for number, first_ends in enumerate((True, False)):
        image = make_image(world, f"3.{number}", form="layout", weight=str(WEIGHT))
        path = max(glob.glob(image + "/blobs/sha256/*"), key=os.path.getsize)
        digest = "sha256:" + os.path.basename(path)
        first = subprocess.Popen([*core.inside(), "python3", "-c", HOLD, core.kubeconfig, path, digest], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
        if first.stdout.readline() != "half\n":
            raise Failure("half of a blob could not be sent")
        second = subprocess.Popen([*core.inside(), program(), "image", "push", image, f"retail/pos:3.{number}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=core.env())
        time.sleep(2)
        if second.poll() is not None:
            raise Failure(f"a push did not wait for the client before it: {second.communicate()[0]}")
        told = first.communicate("go\n" if first_ends else None, timeout=60)[0]
        if first_ends and told != "201\n":
            raise Failure(f"the client before was answered {told}")
        said = second.communicate(timeout=60)[0]
        if second.returncode:
            raise Failure(f"the push failed{'' if first_ends else ' after the client before it was gone'}: {said}")
    say("a push of blobs that another client is sending waits for its turn, also where that one goes away")


def body(world):
    wan, lan = world.network(), world.network("lan", "10.98")
    core = world.core(wan)
    site = world.site(core, wan, "store-1", ("tier=store",), lan)
    node = world.node(site, lan, "back-room")
    wait_until("two nodes are ready", lambda: ready_nodes(core) == 2, 30)
    core.apply(two("9.9"))

    # All shapes of the same image.
    for form in ("oci", "layout", "docker"):
        said = push(core, world, "1.0", form=form)
        if "sha256:" not in said.stdout + said.stderr and "pos:1.0" not in said.stdout:
            raise Failure(f"push of {form} does not say what it pushed: {said.stdout}{said.stderr}")
    with open(make_image(world, "1.0"), "rb") as archive:
        done = subprocess.run([*core.inside(), program(), "image", "push", "-", "retail/pos:stdin"], stdin=archive, capture_output=True, env=core.env(), timeout=60)
    if done.returncode:
        raise Failure(f"push from standard input: {done.stderr.decode()}")
    core.skerry("image", "push", make_image(world, "1.0"), "retail/pos:tar")
    tags = {tag["name"]: tag["digest"] for tag in core.get("image", "pos", "retail")["spec"]["tags"]}
    if tags["stdin"] != tags["tar"]:
        raise Failure(f"the same archive by name and from standard input differ: {tags}")
    say(f"pushed as layout, OCI archive, docker archive and from standard input: {sorted(tags)}")
    for bad, why in ((b"this is no archive", "text"), (open(make_image(world, "1.0"), "rb").read()[:300_000], "a torn archive")):
        path = world.folder + "/bad.tar"
        with open(path, "wb") as file:
            file.write(bad)
        done = core.skerry("image", "push", path, "retail/pos:bad", check=False)
        if done.returncode == 0 or not done.stderr.strip():
            raise Failure(f"{why} was taken as an image")
    if "bad" in [tag["name"] for tag in core.get("image", "pos", "retail")["spec"]["tags"]]:
        raise Failure("a refused push left a tag")

    take_turns(core, world)

    # 40 Mbit/s, so that there is a middle in which to cut.
    site.links[0].network.ip("link", "show", "dev", site.links[0].port)
    slow = run("nsenter", "-t", str(wan.pid), "-n", "tc", "qdisc", "add", "dev", site.links[0].port, "root", "tbf", "rate", "40mbit", "burst", "64kb", "latency", "200ms", check=False)
    if slow.returncode:
        say("this kernel has no token bucket (modprobe sch_tbf); the link is not slowed: " + slow.stderr.strip())
    before = site.links[0].bytes()[1]
    push(core, world, "9.9", weight=str(WEIGHT))

    def arrived():
        return site.links[0].bytes()[1] - before
    wait_until("a quarter of the image arrived", lambda: arrived() > WEIGHT // 4, 60, every=0.02)
    site.cut()
    cut_at = arrived()
    wait_until("the core sees the cut", lambda: not in_touch(core, "store-1"), 60)
    site.heal()
    say(f"cut after {cut_at:,} bytes, healed")
    wait_until("half of the image arrived", lambda: arrived() > WEIGHT // 2, 60, every=0.02)
    site.restart("kill")
    say(f"the site's daemon crashed after {arrived():,} bytes")
    wait_until("two thirds arrived", lambda: arrived() > WEIGHT * 2 // 3, 60, every=0.02)
    core.restart("kill")
    say(f"the core crashed after {arrived():,} bytes")
    wait_until("both nodes run it", lambda: len(site.containers()) == 1 and len(node.containers()) == 1, 120)
    total = arrived()
    # What was in flight when the link broke is lost, thrice; nothing else crosses twice.
    allowed = int((WEIGHT + (1 << 20)) * 1.06) + 3 * (1 << 20)
    say(f"{total:,} bytes crossed the WAN for an image of {WEIGHT + (1 << 20):,} on two nodes (allowed {allowed:,})")
    if total > allowed:
        raise Failure("a cut transfer did not resume where it stopped, or the image crossed more than once")
    lan_bytes = node.links[0].bytes()[1]
    if lan_bytes < WEIGHT:
        raise Failure(f"the second node cannot have the image from the site: {lan_bytes} bytes")

    # A tag moves: the push names what still runs the old one.
    core.apply(two("1.0"))
    wait_until("both run 1.0", lambda: all(each["status"].get("ready") and each["status"].get("imageDigest") == tags["1.0"] for each in instances(core)) and
               len(instances(core)) == 2, 60)
    said = core.skerry("image", "push", make_image(world, "2.0"), "retail/pos:1.0")
    if "till" not in said.stdout + said.stderr:
        raise Failure(f"a push that moves a tag does not name the app that runs the old digest: {said.stdout}{said.stderr}")
    say("a moved tag names the app that still runs its old digest")

    # Updates leave nothing on the flash: what is unpacked is what runs.
    def unpacked(machine):
        return [name for name in os.listdir(machine.state + "/container/layers")]
    one = wait_until("only the two layers of 1.0 are unpacked", lambda: [len(unpacked(each)) for each in (site, node)] == [2, 2] and 2, 45)
    for version in ("3.0", "3.1", "3.2"):
        push(core, world, version)
        core.apply(two(version))
        wait_until(f"both run {version}", lambda: app_ready(core) and all(each["status"].get("ready") for each in instances(core)), 60)
    wait_until("three updates later no more is unpacked", lambda: all(len(unpacked(each)) == one for each in (site, node)), 45)
    ran = site.containers()
    site.restart("kill")
    wait_until("the site is back", lambda: in_touch(core, "store-1"), 30)
    if site.containers() != ran:
        raise Failure("what runs was touched")
    say(f"three updates later {one} layers are unpacked on each node, as before")


scenario(body)
