"""The lines of the bench. Run by tests/bench/run, which has set up server, relay, remote and the variables read here."""
import json
import os
import random
import shutil
import subprocess
import sys
import time
import urllib.request
import ssl

work, mnt, account = os.environ["work"], os.environ["mnt"], os.environ["account"]
url, direct, ca = os.environ["bench_url"], os.environ["direct_url"], os.environ["ca"]
full = os.environ["size"] == "full"
rtt = 0.030
context = ssl.create_default_context(cafile=ca)
rows = []
failed = False


def admin(method, path, body=None):
    request = urllib.request.Request(f"{direct}/_admin/{path}", method=method)
    data = None
    if body is not None:
        data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, data=data, context=context) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def requests_made():
    """Requests that the server has answered so far, our own admin calls left out."""
    return sum(count for endpoint, count in admin("GET", "counts")["endpoints"].items() if "_admin" not in endpoint)


def run(*command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **options)


def row(work_done, measured, beside, line, holds, requests):
    rows.append((work_done, measured, beside, line, "yes" if holds else "NO", str(requests)))


class Line:
    """A part of the bench: a failure ends this part, not the others, and the run exits with 1."""
    def __init__(self, name):
        self.name = name
    def __enter__(self):
        print(f"... {self.name}", file=sys.stderr, flush=True)
        return self
    def __exit__(self, kind, error, trace):
        global failed
        if kind is None or not issubclass(kind, Exception):
            return False
        failed = True
        rows.append((self.name, f"failed: {error}", "", "", "NO", ""))
        return True


def mount(cold=True):
    if os.path.ismount(mnt):
        run("cabinetfs", "umount", mnt)
    if cold:
        for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME"):
            for entry in os.listdir(os.environ[name]):
                if entry != "cabinetfs":
                    continue
                for store in os.listdir(os.path.join(os.environ[name], entry)):
                    path = os.path.join(os.environ[name], entry, store)
                    # The login is kept beside the state.
                    if os.path.isdir(path) and not any("secret" in f or "token" in f for f in os.listdir(path)):
                        shutil.rmtree(path)
    started = time.monotonic()
    run("cabinetfs", "mount", "bench", mnt)
    return time.monotonic() - started


def bearer():
    data = json.load(open(os.environ["credentials"]))
    return data["users"][0]["access_token"]


def file_id(path):
    return os.getxattr(os.path.join(mnt, path), "user.cabinet.id").decode()


def curl_header_file():
    """The token goes to curl in a file, never on its command line."""
    path = os.path.join(work, "curl-header")
    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as out:
        out.write(f"Authorization: Bearer {bearer()}\nX-Accellion-Version: 28\n")
    return path


def read_all(path):
    with open(path, "rb", buffering=0) as source:
        while source.read(1 << 20):
            pass


def sequential():
    mount()
    name = os.path.join(mnt, "Large/sequential.bin")
    size = os.stat(name).st_size
    identity = file_id("Large/sequential.bin")
    before = requests_made()
    started = time.monotonic()
    read_all(name)
    ours = time.monotonic() - started
    made = requests_made() - before
    # The same bytes by curl: 16 ranges at once.
    headers = curl_header_file()
    share = -(-size // 16)
    started = time.monotonic()
    curls = [subprocess.Popen(["curl", "-sS", "--fail", "--cacert", ca, "-H", "@" + headers, "-o", "/dev/null", "-r",
                               f"{i * share}-{min(size, (i + 1) * share) - 1}", f"{url}/rest/files/{identity}/content"])
             for i in range(16)]
    if any(each.wait() for each in curls):
        raise RuntimeError("curl failed")
    theirs = time.monotonic() - started
    row(f"cold sequential read of {size >> 20} MiB", f"{size / ours / 1e6:.0f} MB/s", f"curl, 16 ranges: {size / theirs / 1e6:.0f} MB/s",
        "at least 85 % of curl", theirs / ours >= 0.85, made)


def first_byte():
    mount()
    name = os.path.join(mnt, "Large/first.bin")
    os.stat(name)
    read_all(os.path.join(mnt, "Incoming/readme.txt"))  # connections are open
    descriptor = os.open(name, os.O_RDONLY)
    before = requests_made()
    started = time.monotonic()
    os.read(descriptor, 4096)
    ours = time.monotonic() - started
    made = requests_made() - before
    os.close(descriptor)
    row("first byte of a large file", f"{ours * 1000:.0f} ms", f"round trip {rtt * 1000:.0f} ms", "one round trip + 10 ms", ours <= rtt + 0.010, made)


def random_reads():
    mount()
    name = os.path.join(mnt, "Large/random.bin")
    blocks = os.stat(name).st_size >> 16
    descriptor = os.open(name, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
    chosen = random.Random(7).sample(range(blocks), 100)
    before = requests_made()
    started = time.monotonic()
    for block in chosen:
        os.pread(descriptor, 4096, (block << 16) + 8192)
    each = (time.monotonic() - started) / 100
    made = requests_made() - before
    os.close(descriptor)
    row("100 cold random 4 KiB reads", f"{each / rtt:.2f} round trips each", f"{each * 1000:.0f} ms each", "at most 1.2", each / rtt <= 1.2, made)


def pass_through(source):
    """Mounts `source` through the pass-through example of libfuse's documentation; None where that is not installed."""
    code = "/usr/share/doc/libfuse3-dev/examples/passthrough_ll.c"
    if not os.path.exists(code):
        return None
    program, point = os.path.join(work, "passthrough_ll"), os.path.join(work, "through")
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "fuse3"], check=True, capture_output=True, text=True).stdout.split()
    run("cc", "-O2", "-w", code, "-o", program, *flags)
    os.mkdir(point)
    run(program, "-o", f"source={source},cache=always,timeout=3600,fsname=passthrough", point)
    return point


def million():
    folders = 1000 if full else 50
    stores = os.path.join(work, "million")
    for name in ("cache", "staged"):
        os.makedirs(os.path.join(stores, name))
    out = json.loads(subprocess.run(["bench-million", stores, str(folders), "1000"], check=True, capture_output=True).stdout)
    shutil.rmtree(stores)
    row(f"{out['entries']} entries known: memory", f"{out['resident_mib']} MiB", "", "at most 300 MB", out["resident_mib"] <= 286, 0)
    row(f"{out['entries']} entries known: ready again", f"{out['ready_ms']} ms", "", "at most 1 s", out["ready_ms"] <= 1000, 0)


def find_cold_and_warm():
    mount()
    top = os.path.join(mnt, "Tree")
    before = requests_made()
    started = time.monotonic()
    found = subprocess.run(["find", top], check=True, capture_output=True).stdout.count(b"\n")
    cold = time.monotonic() - started
    made = requests_made() - before
    row(f"cold find over {found} entries", f"{cold / rtt:.1f} round trips", f"{cold * 1000:.0f} ms", "at most 12", cold / rtt <= 12, made)
    # Beside the same tree through libfuse's own pass-through filesystem, and on the bare disk.
    local = os.path.join(account, "Tree")
    through = pass_through(local)
    def best(*command):
        times = []
        for _ in range(5):
            started = time.monotonic()
            run(*command)
            times.append(time.monotonic() - started)
        return min(times)
    before = requests_made()
    for name, command, test in (("find", ["find"], []), ("ls -lR", ["ls", "-lR"], []), ("stat (find -size)", ["find"], ["-size", "+1"])):
        ours, disk = best(*command, top, *test), best(*command, local, *test)
        beside, line, holds = f"local disk {disk * 1000:.0f} ms", "no server call", True
        if through:
            theirs = best(*command, through, *test)
            beside += f", passthrough_ll {theirs * 1000:.0f} ms: {ours / theirs:.2f}x"
            line, holds = "no server call, 1.5x passthrough", ours / theirs <= 1.5
        row(f"warm {name}", f"{ours * 1000:.0f} ms", beside, line, holds and requests_made() == before, requests_made() - before)
    if through:
        run("fusermount3", "-u", through)


def tar_small():
    mount()
    before = requests_made()
    started = time.monotonic()
    run("sh", "-c", 'tar -cf - -C "$1" Small | cat', "sh", mnt)
    ours = time.monotonic() - started
    made = requests_made() - before
    count = sum(len(files) for _, _, files in os.walk(os.path.join(account, "Small")))
    row(f"cold tar of {count} small files", f"{ours:.1f} s", "", "at most 3 s", ours <= 3, made)


def copy_in():
    mount()
    count = 400 if full else 60
    source = os.path.join(work, "small-in")
    os.makedirs(source)
    for number in range(count):
        with open(os.path.join(source, f"file{number:03}.txt"), "wb") as out:
            out.write(os.urandom(2000))
    target = os.path.join(mnt, "Incoming")
    os.listdir(target)
    before = requests_made()
    started = time.monotonic()
    run("cp", "-r", source, target)
    returned = time.monotonic() - started
    run("cabinetfs", "flush", mnt, stderr=subprocess.DEVNULL)
    sent = time.monotonic() - started
    made = requests_made() - before
    row(f"cp -r in of {count} small files: returns", f"{returned:.2f} s", "", "at most 1 s", returned <= 1, "")
    row(f"cp -r in of {count} small files: on the server", f"{sent:.1f} s", "", "at most 3 s", sent <= 3, made)


def large_in():
    mount()
    size = (256 if full else 24) << 20
    source = os.path.join(work, "large-in.bin")
    with open(source, "wb") as out:
        for _ in range(size >> 20):
            out.write(os.urandom(1 << 20))
    target = os.path.join(mnt, "Incoming/large-in.bin")
    os.listdir(os.path.join(mnt, "Incoming"))
    read_all(source)
    before = requests_made()
    started = time.monotonic()
    run("cp", source, target)
    returned = time.monotonic() - started
    run("cabinetfs", "flush", mnt, stderr=subprocess.DEVNULL)
    sent = time.monotonic() - started
    made = requests_made() - before
    plain = os.path.join(work, "large-plain.bin")
    started = time.monotonic()
    run("cp", source, plain)
    local = time.monotonic() - started
    row(f"{size >> 20} MiB in: returns", f"{size / returned / 1e6:.0f} MB/s", f"local disk {size / local / 1e6:.0f} MB/s", "at least 300 MB/s",
        size / returned / 1e6 >= 300, "")
    # One curl, one connection, the whole file in one request.
    folder = os.getxattr(os.path.join(mnt, "Incoming"), "user.cabinet.id").decode()
    started = time.monotonic()
    run("curl", "-sS", "--fail", "--cacert", ca, "-H", "@" + curl_header_file(), "-o", "/dev/null",
        "-F", f"body=@{source};filename=by-curl.bin", f"{url}/rest/folders/{folder}/actions/file")
    theirs = time.monotonic() - started
    row(f"{size >> 20} MiB in: on the server", f"{sent:.1f} s", f"one curl: {theirs:.1f} s", "at least 95 % of curl's rate", theirs / sent >= 0.95, made)


parts = {"sequential": sequential, "first-byte": first_byte, "random": random_reads, "find": find_cold_and_warm, "tar": tar_small,
         "small-in": copy_in, "large-in": large_in, "million": million}
for name in os.environ["lines"].split() or parts:
    if name not in parts:
        sys.exit(f"tests/bench/run: no line '{name}'; there are: {' '.join(parts)}")
    with Line(name):
        parts[name]()

head = ("work (30 ms, 100 Mbit/s a connection, 1 Gbit/s in all)", "cabinetfs", "beside it", "line", "holds", "requests")
widths = [max(len(each[i]) for each in rows + [head]) for i in range(len(head))]
for each in [head, tuple("-" * w for w in widths)] + rows:
    print("  ".join(text.ljust(width) for text, width in zip(each, widths)).rstrip())
sys.exit(1 if failed else 0)
