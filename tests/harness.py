"""A small world for scenarios: machines that can be cut off, crashed and switched off, on one Linux box.

A `Machine` is what a power switch can end: a process in namespaces of its own (network, mounts, processes, host name), with its own /run, its own boot
id and its own folder on disk. Everything that runs on it, containers and their monitors too, lives in its process namespace; ending that process
ends them all, and takes mounts, interfaces, rules and /run along, as a reboot does. Its disk stays.

    wan (a bridge in a namespace) ── port ═══ eth0 of machine core
                                  ├─ port ═══ eth0 of machine store-1      cut(): the port goes down, as if the cable were pulled
                                  └─ port ═══ …                            bytes(): what the port counted, all headers included

Needs root and nothing but Python's standard library and the programs that tools/bootstrap installs. Leaves nothing: when this process ends, however it
ends, the kernel ends the machines; `sweep()` removes what a killed run left on disk.
"""
import atexit
import ctypes
import glob
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import uuid

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SKIP = 77
PREFIX = "/tmp/skerry-world-"
libc = ctypes.CDLL(None, use_errno=True)


class Failure(Exception):
    """The scenario found something that must not be."""


class Missing(Exception):
    """This machine lacks something; the text says what and how to get it."""


def program():
    """The skerry to test: SKERRY_BIN, or the newest build."""
    given = os.environ.get("SKERRY_BIN")
    if given:
        return os.path.abspath(given)
    found = [path for path in glob.glob(ROOT + "/build/*/skerry") if os.access(path, os.X_OK) and os.path.isfile(path)]
    if not found:
        raise Missing("skerry is not built: cmake --preset dev && cmake --build build/dev --target skerry")
    return max(found, key=os.path.getmtime)


def check_needs():
    """Raises Missing with a remedy where this machine cannot run scenarios."""
    if os.geteuid() != 0:
        raise Missing("root is needed for namespaces, mounts and cgroups: run with sudo")
    for name, package in {"unshare": "util-linux", "nsenter": "util-linux", "ip": "iproute2", "nft": "nftables", "conmon": "conmon", "curl": "curl",
                          "busybox": "busybox-static"}.items():
        if not shutil.which(name):
            raise Missing(f"{name} is missing: apt-get install {package} (or tools/bootstrap)")
    if not shutil.which("runc") and not shutil.which("crun"):
        raise Missing("neither runc nor crun is installed: apt-get install runc crun (or tools/bootstrap)")
    tried = subprocess.run(["unshare", "--net", "--mount", "--uts", "--pid", "--fork", "--mount-proc", "--propagation", "private", "true"], capture_output=True, text=True)
    if tried.returncode:
        raise Missing("this kernel or container does not allow namespaces: " + tried.stderr.strip() + " (run on a machine, or in a privileged container)")
    with open("/proc/filesystems", encoding="ascii") as file:
        if "\toverlay\n" not in file.read() and subprocess.run(["modprobe", "overlay"], capture_output=True).returncode:
            raise Missing("this kernel has no overlayfs: modprobe overlay, or a kernel with CONFIG_OVERLAY_FS")
    tried = subprocess.run(["unshare", "--net", "sh", "-c", "ip link add name xbr type bridge && ip link add name xv0 type veth peer name xv1 && nft list ruleset"], capture_output=True, text=True)
    if tried.returncode:
        raise Missing("this kernel lacks bridge, veth or nf_tables: " + tried.stderr.strip() + " (modprobe bridge veth nf_tables)")


def run(*command, check=True, timeout=60, stdin=None, env=None):
    """Runs a program to its end; its output as text. A failure names the command and what it said."""
    try:
        done = subprocess.run(list(command), capture_output=True, text=True, timeout=timeout, input=stdin, env=env, errors="replace")
    except subprocess.TimeoutExpired as error:
        raise Failure(f"{' '.join(command[-6:])}: no end within {timeout} s; it had said: {error.stdout!r} {error.stderr!r}") from None
    if check and done.returncode:
        raise Failure(f"{' '.join(command)}: status {done.returncode}\n{done.stdout}{done.stderr}".rstrip())
    return done


def wait_until(what, claim, timeout=30, every=0.2):
    """Calls `claim` until it gives something true, which is returned. A Failure inside counts as not yet."""
    deadline = time.monotonic() + timeout
    last = None
    while True:
        try:
            found = claim()
            if found:
                return found
            last = found
        except Failure as error:
            last = error
        if time.monotonic() > deadline:
            raise Failure(f"{what}: not within {timeout} s" + (f"; last: {str(last)[:2000]}" if last not in (None, False) else ""))
        time.sleep(every)


def stays(what, claim, seconds, every=0.5):
    """Fails if `claim` is false at any look within the time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not claim():
            raise Failure(f"{what}: no longer so")
        time.sleep(every)


def parse(text):
    try:
        return json.loads(text)
    except ValueError as error:
        raise Failure(f"not JSON ({error}): {text[:500]}") from None


def processes():
    """Every pid of this machine."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def started(pid):
    """Start time in ticks since boot: with the pid it names a process for good. None when it is gone or a zombie."""
    fields = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return int(fields[19]) if len(fields) > 19 and fields[0] not in "ZX" else None


def die_with_parent():
    libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    os.setsid()
    libc.prctl(1, signal.SIGKILL)


class Network:
    """A bridge in a namespace of its own: a WAN, or a site's LAN."""

    def __init__(self, world, name, subnet):
        self.world, self.name, self.subnet = world, name, subnet
        self.holder = subprocess.Popen(["unshare", "--net", "--kill-child=SIGKILL", "--fork", "sh", "-c", "echo up; exec sleep infinity"], stdout=subprocess.PIPE, text=True,
                                       preexec_fn=die_with_parent)
        self.holder.stdout.readline()
        self.pid = child_of(self.holder.pid)
        self.ip("link", "add", "br0", "type", "bridge", "forward_delay", "0")
        self.ip("addr", "add", subnet + ".0.1/16", "dev", "br0")
        self.ip("link", "set", "br0", "up")
        self.next = 10

    def ip(self, *arguments, check=True):
        return run("nsenter", "-t", str(self.pid), "-n", "ip", *arguments, check=check).stdout

    def close(self):
        end(self.holder)


def child_of(pid, timeout=5):
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        children = read(f"/proc/{pid}/task/{pid}/children").split()
        if children:
            return int(children[0])
        for other in processes():
            fields = read(f"/proc/{other}/stat").rpartition(")")[2].split()
            if len(fields) > 1 and fields[1] == str(pid):
                return other
        time.sleep(0.01)
    raise Failure(f"process {pid} has no child")


def end(process):
    if process.poll() is None:
        process.kill()
    process.wait()


class Daemon:
    """One running skerry."""

    def __init__(self, machine, role, arguments):
        self.machine, self.role, self.arguments = machine, role, list(arguments)
        self.log = f"{machine.folder}/{role}.log"
        with open(self.log, "a", encoding="utf-8") as log:
            print(f"--- {time.strftime('%H:%M:%S')} skerry {role} {' '.join(a if len(a) < 60 else a[:20] + '…' for a in arguments)}", file=log)
            log.flush()
            self.process = subprocess.Popen([*machine.inside("-p"), program(), role, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=die_with_parent, env=machine.env())
        self.pid = child_of(self.process.pid)
        self.born = started(self.pid)

    def runs(self):
        return self.process.poll() is None

    def send(self, number):
        if self.runs() and started(self.pid) == self.born:
            os.kill(self.pid, number)

    def kill(self):
        """As a crash: no last words."""
        self.send(signal.SIGKILL)
        self.process.wait()

    def stop(self, number=signal.SIGINT, timeout=20):
        """As Ctrl-C; the exit status."""
        self.send(number)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Failure(f"skerry {self.role} on {self.machine.name} does not end within {timeout} s of signal {number}") from None


class Machine:
    """A machine with a power switch."""

    def __init__(self, world, name, links, label=None):
        self.world, self.name, self.label = world, name, label or name
        self.folder = f"{world.folder}/{name}"
        self.state = self.folder + "/state"
        self.run_folder = "/run/skerry"
        self.prefix = f"{world.id}{len(world.machines):x}"
        self.kubeconfig = self.state + "/admin.kubeconfig"
        self.daemon = None
        self.links = []
        self.environment = {}  # of everything that runs on it, besides this process's own
        os.makedirs(self.folder)
        with open(f"{world.folder}/prefixes", "a", encoding="ascii") as file:
            file.write(self.prefix + "\n")
        for number, network in enumerate(links):
            network.next += 1
            self.links.append(Link(self, network, f"eth{number}", f"{network.subnet}.0.{network.next}", f"v{self.prefix[1:]}{number}"))
        self.pid = None
        self.power_on()

    # ---- power

    def power_on(self):
        boot_id = f"{self.folder}/boot_id"
        with open(boot_id, "w", encoding="ascii") as file:
            file.write(str(uuid.uuid4()) + "\n")
        # A resolver's address that no machine has would slow every lookup; names are in /etc/hosts here.
        setup = (f"mount -t tmpfs -o mode=755 tmpfs /run && mount --bind {boot_id} /proc/sys/kernel/random/boot_id && hostname {self.label} && "
                 "ip link set lo up && echo up && while :; do sleep 3600 & wait $!; done")
        self.init = subprocess.Popen(["unshare", "--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--mount-proc", "--kill-child=SIGKILL", "--propagation", "private",
                                      "bash", "-c", setup], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, preexec_fn=die_with_parent)
        said = self.init.stdout.readline()
        if said != "up\n":
            raise Failure(f"machine {self.name} does not come up: {said}{self.init.stdout.read()}")
        self.pid = child_of(self.init.pid)
        for link in self.links:
            link.plug()
        self.daemon = None

    def power_off(self):
        """At once, as when the plug is pulled. What was on its way to disk is kept: the disk's cache is this kernel's."""
        for link in self.links:
            link.note()
        end(self.init)
        if self.daemon:
            self.daemon.process.wait()
        for link in self.links:
            link.unplug()
        remove_cgroups(self.prefix)
        self.pid = None

    def reboot(self):
        """Off and on again; what started it (a boot service) starts it again, with the arguments it has."""
        last = self.daemon
        self.power_off()
        self.power_on()
        if last:
            self.start(last.role, *without_join(last.arguments))

    # ---- what runs on it

    def inside(self, *more):
        return ["nsenter", "-t", str(self.pid), "-n", "-m", "-u", "-i", *more, "--"]

    def env(self):
        return {**os.environ, "KUBECONFIG": self.kubeconfig, "HOME": self.folder, "LC_ALL": "C.UTF-8", **self.environment}

    def run(self, *command, **options):
        return run(*self.inside("-p"), *command, env=self.env(), **options)

    def cell_arguments(self):
        return ["--state", self.state, "--run", self.run_folder, "--prefix", self.prefix]

    def start(self, role, *arguments, ready=True, timeout=30):
        """Starts a daemon, and waits until it says that it is up."""
        own = [] if "--state" in arguments else self.cell_arguments()
        before = os.path.getsize(f"{self.folder}/{role}.log") if os.path.exists(f"{self.folder}/{role}.log") else 0
        self.daemon = Daemon(self, role, [*arguments, *own])
        if ready:
            def up():
                if not self.daemon.runs():
                    raise Dead(f"skerry {role} on {self.name} ended with status {self.daemon.process.returncode}:\n{tail(self.daemon.log, 20)}")
                with open(self.daemon.log, encoding="utf-8", errors="replace") as file:
                    file.seek(before)
                    return " is up (" in file.read()
            try:
                wait_until(f"skerry {role} on {self.name} says that it is up", up, timeout, every=0.05)
            except Dead as error:
                raise Failure(str(error)) from None
        return self.daemon

    def restart(self, how="kill"):
        """Crash (or stop) and start of the daemon; everything else of the machine goes on."""
        last = self.daemon
        last.kill() if how == "kill" else last.stop()
        return self.start(last.role, *without_join(last.arguments))

    def skerry(self, *arguments, check=True, timeout=60, stdin=None):
        """A client verb against this machine's own API."""
        return run(*self.inside(), program(), *arguments, check=check, timeout=timeout, stdin=stdin, env=self.env())

    def get(self, kind, name=None, project=None):
        """One object, or the list of all."""
        where = ["-n", project] if project else ["-A"] if name is None else []
        found = parse(self.skerry("get", kind, *([name] if name else []), *where, "-o", "json").stdout)
        return found if name else found.get("items", [])

    def apply(self, text):
        return self.skerry("apply", "-f", "-", stdin=text if isinstance(text, str) else json.dumps(text))

    def curl(self, url, check=True, timeout=5):
        """The page's text; Failure where there is none."""
        return run(*self.inside(), "curl", "-sS", "--fail", "--max-time", str(timeout), url, check=check, timeout=timeout + 10).stdout

    # ---- what is there

    def processes(self):
        """Pids, as this process sees them, of everything on the machine but its first process."""
        mine = os.readlink(f"/proc/{self.pid}/ns/pid_for_children")
        found = []
        for pid in processes():
            nested = re.search(r"^NSpid:\s*(.*)$", read(f"/proc/{pid}/status"), re.M)
            if not nested or len(nested.group(1).split()) < 2 or pid == self.pid:
                continue
            if self.is_below(pid, mine):
                found.append(pid)
        return found

    def is_below(self, pid, mine):
        try:
            if os.readlink(f"/proc/{pid}/ns/pid") == mine:
                return True
        except OSError:
            return False
        # A container has a process namespace of its own; it belongs to the machine of its first ancestor outside.
        for _ in range(64):
            fields = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
            if len(fields) < 2 or fields[1] in ("0", "1"):
                return False
            pid = int(fields[1])
            if pid == self.pid:
                return True
        return False

    def containers(self):
        """First process of each container whose program runs: {cgroup's last part: (pid, start time)}."""
        found = {}
        for pid in processes():
            for line in read(f"/proc/{pid}/cgroup").splitlines():
                path = line.split(":", 2)[-1]
                if not path.startswith(f"/{self.prefix}/") or "/probe-" in path:  # the driver's own trial of a runtime
                    continue
                nested = re.search(r"^NSpid:\s*(.*)$", read(f"/proc/{pid}/status"), re.M)
                is_made = read(f"/proc/{pid}/comm").startswith(("runc", "crun"))  # a container that waits for its start
                born = started(pid)  # asked once: it may end at any moment
                if nested and nested.group(1).split()[-1] == "1" and not is_made and born:
                    found[path.rsplit("/", 1)[-1]] = (pid, born)
                break
        return found

    def monitors(self):
        return [pid for pid in self.processes() if read(f"/proc/{pid}/comm").strip() == "conmon"]

    def cut(self):
        self.links[0].cut()

    def heal(self):
        self.links[0].heal()

    @property
    def address(self):
        return self.links[0].address


class Dead(Exception):
    pass


def without_join(arguments):
    out, skip = [], False
    for argument in arguments:
        if skip:
            skip = False
        elif argument == "--join":
            skip = True
        else:
            out.append(argument)
    return out


class Link:
    """A cable between a machine and a network."""

    def __init__(self, machine, network, device, address, port):
        self.machine, self.network, self.device, self.address, self.port = machine, network, device, address, port
        self.is_cut = False
        self.past = [0, 0]

    def plug(self):
        self.network.ip("link", "del", self.port, check=False)
        self.network.ip("link", "add", self.port, "type", "veth", "peer", "name", self.device, "netns", str(self.machine.pid))
        # Without neighbour discovery of version 6: nobody asked for those bytes.
        inside = self.machine.run
        inside("sh", "-c", f"echo 1 > /proc/sys/net/ipv6/conf/{self.device}/disable_ipv6", check=False)
        run("nsenter", "-t", str(self.network.pid), "-n", "sh", "-c", f"ip link set {self.port} master br0; echo 1 > /proc/sys/net/ipv6/conf/{self.port}/disable_ipv6", check=False)
        inside("ip", "addr", "add", self.address + "/16", "dev", self.device)
        inside("ip", "link", "set", self.device, "up")
        if self.device == "eth0":
            inside("ip", "route", "add", "default", "via", self.network.subnet + ".0.1")
        self.network.ip("link", "set", self.port, "down" if self.is_cut else "up")

    def unplug(self):
        self.network.ip("link", "del", self.port, check=False)

    def cut(self):
        self.is_cut = True
        self.network.ip("link", "set", self.port, "down")

    def heal(self):
        self.is_cut = False
        self.network.ip("link", "set", self.port, "up")

    def counters(self):
        found = self.network.ip("-s", "-j", "link", "show", "dev", self.port, check=False)
        if not found.strip():
            return 0, 0
        stats = json.loads(found)[0]["stats64"]
        return stats["rx"]["bytes"], stats["tx"]["bytes"]

    def note(self):
        up, down = self.counters()
        self.past = [self.past[0] + up, self.past[1] + down]

    def bytes(self):
        """(from the machine, to the machine) since it was first plugged, with all headers."""
        up, down = self.counters()
        return self.past[0] + up, self.past[1] + down

    def total(self):
        return sum(self.bytes())


def remove_cgroups(prefix):
    deadline = time.monotonic() + 5
    while True:
        left = [path for pattern in (f"/sys/fs/cgroup/{prefix}", f"/sys/fs/cgroup/*/{prefix}") for path in glob.glob(pattern)]
        for top in left:
            for folder, _, _ in os.walk(top, topdown=False):
                try:
                    os.rmdir(folder)
                except OSError:
                    pass
        if not left or time.monotonic() > deadline:
            return
        time.sleep(0.05)


def cgroups(prefix):
    return [path for pattern in (f"/sys/fs/cgroup/{prefix}", f"/sys/fs/cgroup/*/{prefix}") for path in glob.glob(pattern)]


def tail(path, lines):
    return "".join(read(path).splitlines(keepends=True)[-lines:])


def sweep():
    """Removes what runs that were killed left on disk."""
    for folder in glob.glob(PREFIX + "*"):
        owner = folder[len(PREFIX):].split("-")[0]
        if owner.isdigit() and not os.path.exists(f"/proc/{owner}"):
            for prefix in read(folder + "/prefixes").split():
                remove_cgroups(prefix)
            shutil.rmtree(folder, ignore_errors=True)


class World:
    """All networks and machines of one run. A context: on leaving, all is gone."""

    def __init__(self, quiet=False):
        sweep()
        self.folder = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-")
        self.id = "t" + "".join(random.SystemRandom().choice("0123456789abcdefghijklmnopqrstuvwxyz") for _ in range(4))
        self.machines, self.networks = [], []
        self.closed = False
        # A copy, so that a build meanwhile does not change what runs here.
        self.given = os.environ.get("SKERRY_BIN")
        os.environ["SKERRY_BIN"] = shutil.copy2(program(), self.folder + "/skerry")
        self.quiet = quiet
        atexit.register(self.close)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def network(self, name="wan", subnet="10.99"):
        network = Network(self, name, subnet)
        self.networks.append(network)
        return network

    def machine(self, name, *networks, label=None):
        machine = Machine(self, name, networks, label)
        self.machines.append(machine)
        return machine

    def keep_logs(self, name):
        """Copies the daemons' logs to build/scenario-logs/NAME."""
        target = f"{ROOT}/build/scenario-logs/{name}"
        shutil.rmtree(target, ignore_errors=True)
        for machine in self.machines:
            os.makedirs(f"{target}/{machine.name}", exist_ok=True)
            for log in glob.glob(machine.folder + "/*.log"):
                shutil.copy(log, f"{target}/{machine.name}/")
        return target

    def close(self):
        if self.closed:
            return
        self.closed = True
        if self.given is None:
            os.environ.pop("SKERRY_BIN", None)
        else:
            os.environ["SKERRY_BIN"] = self.given
        for machine in self.machines:
            try:
                if machine.pid:
                    machine.power_off()
            except Exception as error:  # the rest must still go
                print(f"harness: ending {machine.name}: {error}", file=sys.stderr)
        for network in self.networks:
            network.close()
        if os.environ.get("SKERRY_KEEP"):
            print(f"kept {self.folder}", file=sys.stderr)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    # ---- a fleet in a few lines

    def core(self, network, name="core"):
        machine = self.machine(name, network)
        machine.start("core", "--name", name, "--listen", "0.0.0.0:7443", "--advertise", machine.address)
        return machine

    def region(self, core, network, name, labels, lan):
        """A machine that joins `core` as region `name`, and takes sites in from network `lan`."""
        machine = self.machine(name, network, lan)
        arguments = ["token", "create", "--region", name, "--profile", "lan"]
        for label in labels:
            arguments += ["--label", label]
        token = word(core.skerry(*arguments).stdout, "skerry1.")
        machine.start("region", "--join", token, "--listen", "0.0.0.0:7443", "--advertise", machine.links[1].address)
        wait_until(f"region {name} is in touch", lambda: in_touch(core, name), 30)
        return machine

    def site(self, core, network, name, labels=("tier=store",), *more_networks, profile="lan", wait=True):
        """A machine that joins `core` as site `name`."""
        machine = self.machine(name, network, *more_networks)
        token = site_token(core, name, labels, profile)
        listen = ["--listen", "0.0.0.0:7444"]
        for link in machine.links[1:]:
            listen += ["--advertise", link.address]
        machine.start("site", "--join", token, *listen)
        if wait:
            wait_until(f"site {name} is in touch", lambda: in_touch(core, name), 30)
        return machine

    def node(self, site, network, name):
        """A machine that joins `site` as a further node."""
        machine = self.machine(name, network)
        token = word(site.skerry("token", "create", "--node", name).stdout, "skerry1.")
        machine.start("node", "--join", token)
        return machine


def site_token(core, name, labels=("tier=store",), profile="lan"):
    arguments = ["token", "create", "--site", name]
    for label in labels:
        arguments += ["--label", label]
    if profile:
        arguments += ["--profile", profile]
    return word(core.skerry(*arguments).stdout, "skerry1.")


def word(text, start):
    for each in text.split():
        if each.startswith(start):
            return each
    raise Failure(f"no {start}… in: {text[:400]}")


def condition(item, kind):
    for each in item.get("status", {}).get("conditions", []):
        if each.get("type") == kind:
            return each
    return {}


def in_touch(core, name):
    return condition(core.get("site", name), "InTouch").get("status") == "True"


def app_ready(machine, name="till", project="retail"):
    """Whether the newest wish for the app runs at all its sites."""
    app = machine.get("app", name, project)
    status = app["status"]
    return condition(app, "Available").get("status") == "True" and status.get("observedGeneration") == app["metadata"]["generation"] and \
        status.get("updatedSites") == status.get("sites")


def ready_nodes(machine):
    return sum(condition(node, "Ready").get("status") == "True" and condition(node, "InTouch").get("status") != "False" for node in machine.get("nodes"))


def make_image(world, version, form="oci", weight=None):
    """An image's path: an archive, or the folder of a layout."""
    path = f"{world.folder}/pos-{version}-{form}" + (".tar" if form != "layout" else "")
    if not os.path.exists(path):
        run(ROOT + "/tools/make-image", "--version", version, "--format", form, *(["--weight", weight] if weight else []), path)
    return path


def push(machine, world, version, **options):
    return machine.skerry("image", "push", make_image(world, version, **options), f"retail/pos:{version}", timeout=120)


def till(version="4.2"):
    """examples/till.yaml, at this version."""
    return read(ROOT + "/examples/till.yaml").replace("retail/pos:4.2", "retail/pos:" + version)


KIOSK = """apiVersion: skerry/v1
kind: Secret
metadata: {name: kiosk-key, namespace: retail}
stringData: {token: seven77}
---
apiVersion: skerry/v1
kind: App
metadata: {name: kiosk, namespace: retail}
spec:
  components:
  - name: page
    image: retail/kiosk:1
    ports: [{name: http, port: 8080, publish: 8090}]
    env: [{name: STORE, value: GREETED}, {name: KEY, from: {secret: kiosk-key, key: token}}]
    stopGrace: 1s
"""


def kiosk(greeting):
    """An app of a site's own, with a Secret; says so at port 8090."""
    return KIOSK.replace("GREETED", greeting)


def app_of(text):
    """The App's document alone."""
    return next(part for part in text.split("\n---\n") if "\nkind: App\n" in part)


def till_serves(machine, version, store=None, port=8080):
    """Whether the till answers on the machine's localhost with this version."""
    page = machine.curl(f"http://localhost:{port}/")
    return f"till {version} at {store or machine.name}" in page


def instances(machine, app="till"):
    return [each for each in machine.get("instances") if each["spec"].get("app") == app]


# ---- kubectl

def kubectls():
    """[(version, path)]: Debian's 1.20 and every kubectl.1.N with N of 28 or more beside the one on PATH; and a list of what was not found."""
    found, missing = [], []
    old = debian_kubectl()
    if old:
        found.append((version_of(old), old))
    else:
        missing.append("Debian's kubectl 1.20 (apt-get download kubernetes-client failed, and it is not installed)")
    here = shutil.which("kubectl")
    folders = {os.path.dirname(os.path.realpath(here))} if here else set()
    for folder in folders | {"/usr/bin", "/usr/local/bin"}:
        for path in glob.glob(folder + "/kubectl.1.*"):
            match = re.fullmatch(r"kubectl\.1\.(\d+)", os.path.basename(path))
            if match and int(match.group(1)) >= 28:
                found.append((version_of(path), path))
    if here and len(found) <= 1:
        version = version_of(here)
        if re.match(r"1\.(2[89]|[3-9]\d)", version):
            found.append((version, here))
    if len(found) < 2:
        missing.append("no kubectl of 1.28 or newer (kubectl.1.N beside the kubectl on PATH)")
    return sorted(set(found), key=lambda entry: [int(n) for n in re.findall(r"\d+", entry[0])[:3]]), missing


def version_of(path):
    try:
        done = subprocess.run([path, "version", "--client", "-o", "json"], capture_output=True, text=True, timeout=30)
        return json.loads(done.stdout)["clientVersion"]["gitVersion"].lstrip("v")
    except (subprocess.SubprocessError, OSError, ValueError, KeyError):
        match = re.search(r"1\.\d+", path)
        return match.group(0) if match else "0"


def debian_kubectl():
    cache = ROOT + "/build/kubectl-debian"
    path = cache + "/usr/bin/kubectl"
    if os.path.exists(path):
        return path
    os.makedirs(cache, exist_ok=True)
    for refresh in (False, True):
        if refresh:
            subprocess.run(["apt-get", "update", "-qq"], capture_output=True)
        done = subprocess.run(["apt-get", "download", "-q", "kubernetes-client"], cwd=cache, capture_output=True)
        packages = glob.glob(cache + "/kubernetes-client_*.deb")
        if done.returncode == 0 and packages:
            run("dpkg-deb", "-x", packages[0], cache, timeout=300)
            os.unlink(packages[0])
            return path if os.path.exists(path) else None
    return None


# ---- running a scenario

class Story:
    """Prints what happens, with the time since the beginning."""

    def __init__(self):
        self.begin = time.monotonic()

    def __call__(self, text):
        print(f"[{time.monotonic() - self.begin:6.1f}s] {text}", flush=True)


say = Story()


def scenario(body):
    """Runs a scenario in a world of its own and exits: 0 passed, 1 failed, 77 cannot run here."""
    name = os.path.basename(os.path.dirname(os.path.abspath(sys.argv[0])))

    def interrupted(number, _):
        raise SystemExit(128 + number)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    try:
        check_needs()
        program()
    except Missing as missing:
        print(f"{name}: skipped: {missing}")
        sys.exit(SKIP)
    world = World()
    try:
        body(world)
    except Missing as missing:
        print(f"{name}: skipped: {missing}")
        world.close()
        sys.exit(SKIP)
    except Exception as error:
        say(f"FAILED: {error}" if isinstance(error, Failure) else "FAILED:\n" + traceback.format_exc())
        if isinstance(error, Failure):
            print("".join(traceback.format_tb(error.__traceback__)[1:]))
        describe(world)
        print(f"logs are in {world.keep_logs(name)}")
        world.close()
        sys.exit(1)
    if os.environ.get("SKERRY_LOGS"):
        world.keep_logs(name)
    world.close()
    say(f"{name}: passed")
    sys.exit(0)


def describe(world):
    for machine in world.machines:
        if not machine.pid:
            continue
        print(f"===== {machine.name}: daemon {'runs' if machine.daemon and machine.daemon.runs() else 'is not running'}; containers {machine.containers()}")
        if machine.daemon and machine.daemon.runs() and machine.daemon.role != "node":
            for kind in ("apps", "allocations", "instances", "sites", "nodes", "events"):
                done = machine.skerry("get", kind, "-A", "-o", "wide", check=False, timeout=10)
                print(f"--- {kind}\n{done.stdout}{done.stderr}".rstrip())
        for log in sorted(glob.glob(machine.folder + "/*.log")):
            print(f"--- last lines of {os.path.basename(log)}\n{tail(log, 25)}".rstrip())
