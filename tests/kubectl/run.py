#!/usr/bin/env python3
"""Every kubectl that this machine has: Debian's 1.20 (apply with --validate=false) and each of 1.28 and newer."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import *

KINDS = ["projects", "sites", "nodes", "apps", "revisions", "allocations", "instances", "images", "secrets", "configs", "events", "overrides"]

CONFIG = """apiVersion: skerry/v1
kind: Config
metadata: {name: NAME, namespace: default, labels: {made: kubectl}}
data: {colour: VALUE}
"""


class Kubectl:
    def __init__(self, box, version, path):
        self.box, self.version, self.path = box, version, path
        self.old = version.startswith("1.20")

    def __call__(self, *arguments, check=True, stdin=None, timeout=60):
        cache = f"{self.box.folder}/kube-cache-{self.version}"
        done = run(*self.box.inside(), self.path, "--cache-dir", cache, *arguments, check=False, stdin=stdin, timeout=timeout, env=self.box.env())
        if check and done.returncode:
            raise Failure(f"kubectl {self.version} {' '.join(arguments)}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def apply(self, text, **options):
        return self("apply", *(["--validate=false"] if self.old else []), "-f", "-", stdin=text, **options)

    def wants(self, text, *arguments, **options):
        done = self(*arguments, **options)
        if text not in done.stdout + done.stderr:
            raise Failure(f"kubectl {self.version} {' '.join(arguments)}: no {text!r} in\n{done.stdout}{done.stderr}")
        return done.stdout

    def watch(self, *arguments):
        return subprocess.Popen([*self.box.inside(), self.path, "--cache-dir", f"{self.box.folder}/kube-cache-{self.version}", *arguments], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, env=self.box.env(), preexec_fn=die_with_parent)


def saw(process, text, timeout=20):
    """Reads a watching kubectl's lines until the text comes."""
    os.set_blocking(process.stdout.fileno(), False)
    seen = ""

    def look():
        nonlocal seen
        seen += (process.stdout.read() or b"").decode(errors="replace")
        return text in seen
    try:
        wait_until(f"{' '.join(process.args[-5:])} shows {text!r}", look, timeout)
    except Failure:
        raise Failure(f"{' '.join(process.args[-5:])} shows no {text!r} but:\n{seen}") from None
    return seen


def try_one(kubectl, box):
    name = "k" + re.sub(r"\D", "-", kubectl.version)
    listed = kubectl("api-resources").stdout
    for kind in KINDS:
        if not re.search(rf"^{kind}\s", listed, re.M):
            raise Failure(f"kubectl {kubectl.version} api-resources lacks {kind}:\n{listed}")
        for form in (["-o", "wide"], ["-o", "yaml"], ["-o", "json"], []):
            kubectl("get", kind, "-A", *form)
    kubectl.wants("till", "get", "apps.v1.skerry", "-n", "retail")
    kubectl.wants("till", "get", "apps", "-A", "-l", "app=till")
    kubectl.wants("instance.skerry/till.", "get", "all", "-n", "retail")
    if "till" in kubectl("get", "apps", "-A", "-l", "app=other").stdout:
        raise Failure("-l does not select")
    kubectl.wants("No resources found", "get", "alloc", "-n", "default")

    for text, said in ((CONFIG.replace("VALUE", "blue"), "created"), (CONFIG.replace("VALUE", "blue"), "unchanged"), (CONFIG.replace("VALUE", "green"), "configured")):
        done = kubectl.apply(text.replace("NAME", name))
        if said not in done.stdout:
            raise Failure(f"kubectl {kubectl.version} apply: {said} was wanted, not {done.stdout}{done.stderr}")
    for bad, said in ((CONFIG.replace("VALUE", "blue").replace("NAME", "Not_A_Name"), "Not_A_Name"),
                      (till().replace("mode: each", "mode: sometimes"), "sometimes"),
                      (till().replace("      port: 8080\n", "      port: 8080000\n"), "8080000"),
                      (till().replace("image: retail/pos:4.2", "imagge: retail/pos:4.2"), "imagge")):
        done = kubectl.apply(bad, check=False)
        if done.returncode == 0 or said not in done.stderr:
            raise Failure(f"kubectl {kubectl.version}: a bad manifest is not refused with {said}: {done.stdout}{done.stderr}")
    watching = kubectl.watch("get", "configs", "-n", "default", "-w", "-o", "custom-columns=N:.metadata.name,C:.data.colour")
    try:
        saw(watching, name)
        kubectl.apply(CONFIG.replace("NAME", name).replace("VALUE", "violet"))
        saw(watching, "violet")
    finally:
        end(watching)
    kubectl.wants("labeled", "label", "config", name, "-n", "default", "tested=yes")
    kubectl.wants(name, "get", "cfg", "-n", "default", "-l", "tested=yes,made=kubectl")
    kubectl("label", "config", name, "-n", "default", "tested-")
    kubectl.wants("deleted", "delete", "config", name, "-n", "default")
    done = kubectl("get", "config", name, "-n", "default", check=False)
    if done.returncode == 0 or "NotFound" not in done.stderr and "not found" not in done.stderr:
        raise Failure(f"kubectl {kubectl.version}: what was deleted is there: {done.stdout}{done.stderr}")

    kubectl.wants("condition met", "wait", "--for=condition=Available", "app/till", "-n", "retail", "--timeout=30s")
    described = kubectl("describe", "app", "till", "-n", "retail").stdout
    if "Events:" not in described or "Image:" not in described and "image:" not in described.lower():
        raise Failure(f"kubectl {kubectl.version} describe: no Events in\n{described}")
    pod = kubectl("get", "pods", "-n", "retail", "-o", "name").stdout.split()[0]
    described = kubectl("describe", "instance", pod.split("/")[1], "-n", "retail").stdout
    if not re.search(r"Events:\s*\n\s*Type\s+Reason", described):
        raise Failure(f"kubectl {kubectl.version} describe instance: no text of events in\n{described}")
    kubectl.wants("serving on 8080", "logs", pod, "-n", "retail")
    # Only lines to come, so that an earlier kubectl's are not mistaken for this one's.
    following = kubectl.watch("logs", "-f", "--tail=0", pod, "-n", "retail")
    try:
        saw(following, "response:200")
        box.curl(f"http://localhost:8080/{name}", check=False)
        saw(following, "response:404")
    finally:
        end(following)
    kubectl.wants("placement", "explain", "app.spec.components")
    kubectl.wants("replicas", "explain", "apps.spec.components.placement")


def body(world):
    found, missing = kubectls()
    for each in missing:
        say("not here: " + each)
    if not found:
        raise Missing("no kubectl is here and none can be downloaded: apt-get install kubernetes-client")
    box = world.machine("harbour", world.network())
    box.start("up", "--label", "tier=store")
    first = Kubectl(box, *found[-1])
    first.apply(till())
    push(box, world, "4.2")
    wait_until("the till answers", lambda: till_serves(box, "4.2"), 60)
    wait_until("and is ready", lambda: app_ready(box), 30)
    failed = []
    for version, path in found:
        try:
            try_one(Kubectl(box, version, path), box)
            say(f"kubectl {version}: all of it works")
        except Failure as error:
            failed.append(version)
            say(f"kubectl {version}: {error}")
    if failed:
        raise Failure("these kubectl versions failed: " + ", ".join(failed))
    say("kubectl versions that ran: " + ", ".join(version for version, _ in found))


scenario(body)
