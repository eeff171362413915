"""The lines of the bench on one vendor. Run by tests/bench/vendor.sh, which has set up server, relay, remote and login."""
import dataclasses
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import server
import table
from mounts import LIMIT, Cabinet, rclones, run, sizes

work, account, vendor = os.environ["work"], os.environ["account"], os.environ["vendor"]
full = os.environ["size"] == "full"
RTT = 0.030
cabinet = Cabinet()
others, rclone_title = rclones()
can = {}      # the mount's capabilities
details = []  # which requests a line made
over = []     # the same, of lines that made more than they may

# What the protocol takes. Kenesto: the versions and an address at the store come before a content; a place there, its content
# and the completion are an upload, which is looked up before and after, since nothing else is exclusive. WebDAV: a look
# before an upload and one after it, since no server says whether it minds conditions. Where neither a version nor an ETag
# vouches for what was read, a look comes after it: one for each file, or one listing for several of a folder (Kenesto: a
# listing, and the rights). PowerFolder: the rights in each top-level folder.
BEFORE_CONTENT = {"kenesto": 2}.get(vendor, 0)
AFTER_CONTENT = {"kenesto": 2}.get(vendor, 1)
# So many small files, at least, that were read are looked after together.
LOOKED_AFTER_TOGETHER = 4
FOR_UPLOAD = {"kiteworks": 1, "kenesto": 6}.get(vendor, 3)
FOR_RIGHTS = 1 + len(os.listdir(account)) if vendor == "powerfolder" else 0
NOTES = {
    "kiteworks": [],
    "kenesto": ["Two calls come before a content: its versions, an address at the store.",
                "An upload is three calls (place, content, completion) with looks before and after them."],
    "powerfolder": ["An upload is a PUT with a look before and one after it.",
                    "The rights in each top-level folder are a request of their own."],
    "webdav": ["An upload is a PUT with a look before and one after it."],
}
for text in NOTES[vendor]:
    table.note(text)
table.note("After a content comes a look, whether it was that of the version; several files of a folder share one.")


@dataclasses.dataclass
class Measured:
    seconds: float
    text: str
    requests: dict = dataclasses.field(default_factory=dict)

    @property
    def count(self):
        return sum(self.requests.values())


class Requests:
    """The requests that are made inside `with`."""

    def __enter__(self):
        self.before = server.requests()
        return self

    def __exit__(self, *_):
        self.made = dict(server.requests() - self.before)


def on_each(measure, always=True):
    """What cabinetfs took, and the others: a dict of Measured each. `always`: also in the short form, which has little time."""
    ours = measure(cabinet)
    return ours, [measure(other) for other in others] if always or full else []


def put_row(work_done, key, measured, line, holds, beside="", most=None):
    """`most`: requests that the work may take; more than these, and the line does not hold."""
    ours, theirs = measured[0][key], [each[key] for each in measured[1]]
    cells = [f"{each.text} ({each.seconds / ours.seconds:.1f}x)" for each in theirs] or ["", ""]
    if most is not None and holds is not None:
        holds = holds and ours.count <= most
    if not full:
        holds = None  # the limits are those of the full sizes
    if most is not None and ours.count > most:
        over.append((f"{work_done}: {ours.count} requests instead of {most}", ours.requests))
    counts = "" if most is None else f"{ours.count} of {most}"
    if theirs and counts:
        counts += f"; {theirs[0].count}, {theirs[1].count}"
    table.row(work_done, ours.text, line, holds, beside, cells, counts)
    if ours.requests:
        details.append((f"{work_done}: cabinetfs", ours.requests))
    details.extend((f"{work_done}: {other.title}, {other.key}", each.requests) for other, each in zip(others, theirs) if each.requests)


def cannot(work_done, why):
    table.row(work_done, "", why, None, verdict="cannot")


def timed(call, *arguments):
    started = time.monotonic()
    call(*arguments)
    return time.monotonic() - started


def rate(size, seconds):
    return f"{size / seconds / 1e6:.0f} MB/s"


def read_all(path):
    with open(path, "rb", buffering=0) as source:
        while source.read(1 << 20):
            pass


def must_be_sent(mount, folder):
    """That the server has what the mount shows there: all files, as large."""
    here, there = sizes(mount.path(folder)), server.files(folder)
    if here != there:
        wrong = sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))
        raise RuntimeError(f"{len(wrong)} of {len(here)} files are not on the server as they are here, such as {wrong[0]}")


def attribute(mount, path, name):
    return os.getxattr(mount.path(path), "user.cabinet." + name).decode()


def sequential():
    path = "Large/sequential.bin"
    size = os.stat(os.path.join(account, path)).st_size
    identity = ""

    def measure(mount):
        nonlocal identity
        with mount:
            os.stat(mount.path(path))
            if mount is cabinet:
                identity = attribute(mount, path, "id")
            with Requests() as requests:
                seconds = timed(read_all, mount.path(path))
            return {"read": Measured(seconds, rate(size, seconds), requests.made)}

    measured = on_each(measure)
    theirs = server.get_by_curl(path, identity, size, 16)
    # Ranges of 4 MiB, and smaller ones while the window grows.
    put_row(f"cold sequential read of {size >> 20} MiB", "read", measured, "at least 85 % of curl",
            theirs / measured[0]["read"].seconds >= 0.85, f"curl, 16 ranges: {rate(size, theirs)}",
            BEFORE_CONTENT + AFTER_CONTENT + (size >> 22) + 24)


def first_byte():
    def measure(mount):
        with mount:
            os.stat(mount.path("Large/first.bin"))
            read_all(mount.path("Incoming/curl/readme.txt"))  # connections are open
            descriptor = os.open(mount.path("Large/first.bin"), os.O_RDONLY)
            with Requests() as requests:
                seconds = timed(os.pread, descriptor, 4096, 0)
            os.close(descriptor)
            return {"read": Measured(seconds, f"{seconds * 1000:.0f} ms", requests.made)}

    measured = on_each(measure)
    trips = 1 + BEFORE_CONTENT
    put_row("first byte of a large file", "read", measured, f"{['', 'one round trip', '', '3 round trips'][trips]} + 10 ms",
            measured[0]["read"].seconds <= trips * RTT + 0.010, f"round trip {RTT * 1000:.0f} ms", trips + AFTER_CONTENT)


def random_reads():
    if not can["ranges"]:
        return cannot("100 cold random 4 KiB reads", "the server sends whole files only")

    def measure(mount):
        with mount:
            path = mount.path("Large/random.bin")
            blocks = os.stat(path).st_size >> 16
            descriptor = os.open(path, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
            chosen = random.Random(7).sample(range(blocks), 100)
            with Requests() as requests:
                seconds = timed(lambda: [os.pread(descriptor, 4096, (block << 16) + 8192) for block in chosen])
            os.close(descriptor)
            return {"read": Measured(seconds, f"{seconds / 100 / RTT:.2f} round trips each", requests.made)}

    measured = on_each(measure, always=False)
    put_row("100 cold random 4 KiB reads", "read", measured, "at most 1.2", measured[0]["read"].seconds / 100 / RTT <= 1.2,
            f"{measured[0]['read'].seconds * 10:.0f} ms each", 101 + BEFORE_CONTENT + AFTER_CONTENT)


def pass_through(source):
    """Mounts `source` through the pass-through example of libfuse's documentation; None where that is not installed."""
    code = "/usr/share/doc/libfuse3-dev/examples/passthrough_ll.c"
    if not os.path.exists(code):
        return None
    program, point = os.path.join(work, "passthrough_ll"), os.path.join(work, "through")
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "fuse3"], check=True, capture_output=True, text=True).stdout.split()
    run("cc", "-O2", "-w", code, "-o", program, *flags)
    os.mkdir(point)
    # With extended attributes, which `ls -l` asks for: without, the kernel stops asking after the first answer.
    run(program, "-o", f"source={source},xattr,cache=always,timeout=3600,fsname=passthrough", point)
    return point


WARM = {"find": (["find"], []), "ls -lR": (["ls", "-lR"], []), "stat (find -size)": (["find"], ["-size", "+1"])}


def best(top, command, test):
    return min(timed(run, *command, top, *test) for _ in range(5))


def find_cold_and_warm():
    found = folders = 0
    for _, names, files in os.walk(os.path.join(account, "Tree")):
        folders += 1
        found += 1 + len(files)

    def measure(mount):
        with mount:
            top = mount.path("Tree")
            with Requests() as requests:
                started = time.monotonic()
                lines = subprocess.run(["find", top], check=True, capture_output=True).stdout.count(b"\n")
                seconds = time.monotonic() - started
            if lines != found:
                raise RuntimeError(f"find shows {lines} names instead of {found}")
            out = {"cold": Measured(seconds, f"{seconds / RTT:.1f} round trips", requests.made)}
            for name, how in WARM.items():
                with Requests() as requests:
                    seconds = best(top, *how)
                out[name] = Measured(seconds, f"{seconds * 1000:.0f} ms", requests.made)
            return out

    measured = on_each(measure)
    cold = measured[0]["cold"].seconds
    # The listing of Tree's own folder comes with the first name.
    put_row(f"cold find over {folders} folders, {found - folders} files", "cold", measured, "at most 12 round trips", cold / RTT <= 12,
            f"{cold * 1000:.0f} ms", folders + 1 + FOR_RIGHTS)
    # Beside the same tree through libfuse's own pass-through filesystem, and on the bare disk.
    local = os.path.join(account, "Tree")
    through = pass_through(local)
    try:
        for name, how in WARM.items():
            beside, holds, line = f"disk {best(local, *how) * 1000:.0f} ms", True, "no server call"
            if through:
                theirs = best(through, *how)
                ratio = measured[0][name].seconds / theirs
                beside += f", passthrough_ll {theirs * 1000:.0f} ms ({ratio:.2f}x)"
                line, holds = "no server call, 1.5x passthrough", ratio <= 1.5
            put_row(f"warm {name}", name, measured, line, holds, beside, 0)
    finally:
        if through:
            run("fusermount3", "-u", through)


def tar_small():
    top = os.path.join(account, "Small")
    count = sum(len(files) for _, _, files in os.walk(top))
    folders = sum(1 for _ in os.walk(top))

    def measure(mount):
        with mount:
            with Requests() as requests:
                seconds = timed(run, "sh", "-c", 'tar -cf - -C "$1" Small | cat', "sh", mount.path())
            return {"tar": Measured(seconds, f"{seconds:.1f} s", requests.made)}

    measured = on_each(measure, always=False)
    limit = 3 * (1 + BEFORE_CONTENT)
    put_row(f"cold tar of {count} small files", "tar", measured, f"at most {limit} s", measured[0]["tar"].seconds <= limit,
            f"{folders} folders",
            folders + 1 + FOR_RIGHTS + count * (1 + BEFORE_CONTENT) + AFTER_CONTENT * count // LOOKED_AFTER_TOGETHER)


def copy_in():
    count = 400 if full else 60
    source = os.path.join(work, "small-in")
    os.makedirs(source)
    for number in range(count):
        with open(os.path.join(source, f"file{number:03}.txt"), "wb") as out:
            out.write(os.urandom(2000))

    def measure(mount):
        with mount:
            folder = f"Incoming/{mount.key}"
            os.listdir(mount.path(folder))
            with Requests() as requests:
                started = time.monotonic()
                run("cp", "-r", source, mount.path(folder))
                returned = time.monotonic() - started
                mount.wait_sent(f"{folder}/small-in")
                sent = time.monotonic() - started
            must_be_sent(mount, folder)
            return {"returned": Measured(returned, f"{returned:.2f} s"), "sent": Measured(sent, f"{sent:.1f} s", requests.made)}

    measured = on_each(measure, always=False)
    put_row(f"cp -r in of {count} small files: returns", "returned", measured, "at most 1 s", measured[0]["returned"].seconds <= 1)
    put_row(f"cp -r in of {count} small files: on the server", "sent", measured, "at most 3 s", measured[0]["sent"].seconds <= 3, "",
            4 + count * FOR_UPLOAD)


def large_in():
    size = (256 if full else 24) << 20
    source = os.path.join(work, "large-in.bin")
    with open(source, "wb") as out:
        for _ in range(size >> 20):
            out.write(os.urandom(1 << 20))
    folder_id = ""

    def measure(mount):
        nonlocal folder_id
        with mount:
            folder = f"Incoming/{mount.key}"
            os.listdir(mount.path(folder))
            if mount is cabinet:
                folder_id = attribute(mount, "Incoming/curl", "id")
            read_all(source)
            with Requests() as requests:
                started = time.monotonic()
                run("cp", source, mount.path(folder, "large-in.bin"))
                returned = time.monotonic() - started
                mount.wait_sent(folder)
                sent = time.monotonic() - started
            must_be_sent(mount, folder)
            return {"returned": Measured(returned, rate(size, returned)), "sent": Measured(sent, f"{sent:.1f} s", requests.made)}

    measured = on_each(measure, always=False)
    local = timed(run, "cp", source, os.path.join(work, "large-plain.bin"))
    put_row(f"{size >> 20} MiB in: returns", "returned", measured, "at least 300 MB/s",
            size / measured[0]["returned"].seconds >= 300e6, f"local disk {rate(size, local)}")
    # One curl, one connection, the whole file in one request.
    theirs = server.put_by_curl(source, folder_id, "by-curl.bin")
    chunks = -(-size // can["chunk_size"]) + 1 if vendor == "kiteworks" else FOR_UPLOAD
    put_row(f"{size >> 20} MiB in: on the server", "sent", measured, "at least 95 % of curl's rate",
            theirs / measured[0]["sent"].seconds >= 0.95, f"curl -T: {theirs:.1f} s", chunks + 1)


def give_up(number, _):
    if number == signal.SIGALRM:
        raise TimeoutError(f"no end after {2 * LIMIT} s")
    sys.exit(130)


parts = {"sequential": sequential, "first-byte": first_byte, "random": random_reads, "find": find_cold_and_warm, "tar": tar_small,
         "small-in": copy_in, "large-in": large_in}
for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, give_up)
with cabinet:
    can.update(json.loads(attribute(cabinet, "", "capabilities")))
for name in os.environ["lines"].split() or parts:
    with table.Part(f"{vendor}: {name}"):
        signal.alarm(2 * LIMIT)
        parts[name]()
    signal.alarm(0)

if vendor == "webdav":
    table.note(f"{rclone_title}: (times what cabinetfs needs); requests: cabinetfs of those allowed; rclone, rclone tuned."
               if others else "rclone is not installed, so nothing stands beside.")
table.show(f"{vendor}: 30 ms round trip, 100 Mbit/s a connection, 1 Gbit/s in all")
for shown in [over, details if os.environ["requests"] == "yes" else []]:
    for work_done, requests in shown:
        print(f"  {work_done}: " + ", ".join(f"{count} {name}" for name, count in sorted(requests.items(), key=lambda each: -each[1])))
sys.exit(1 if table.failed else 0)
