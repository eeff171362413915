"""What is measured: an account mounted by cabinetfs, and the same one by rclone. Each mount begins cold, with an empty cache."""
import ctypes
import os
import re
import shutil
import signal
import subprocess
import time

import server

work, account = os.environ["work"], os.environ["account"]
LIMIT = 300  # seconds that any one command may take


def run(*command, **options):
    # Without a timeout of its own, which would be looked at every 50 ms only: the alarm of lines.py ends what hangs.
    return subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **options)


class Mounted:
    """Mounted inside `with`, and unmounted whatever happens in it. `key` names its folder in the account's Incoming."""

    key = title = point = ""

    def path(self, *parts):
        return os.path.join(self.point, *parts)

    def wait_sent(self, folder):
        """Until the files of that folder of the account are on the server, each as large as it is here."""
        raise NotImplementedError


class Cabinet(Mounted):
    key = title = "cabinetfs"
    point = os.environ["mnt"]

    def __enter__(self):
        self._forget()
        run("cabinetfs", "mount", "bench", self.point)
        return self

    def __exit__(self, kind, *_):
        # What a failed line has left unsent goes with it.
        force = ["--timeout", "5s", "--force"] if kind else []
        subprocess.run(["cabinetfs", "umount", self.point, *force], check=not kind, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=LIMIT)
        if mounted(self.point):
            subprocess.run(["fusermount3", "-uz", self.point], check=False)

    def _forget(self):
        for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME"):
            top = os.path.join(os.environ[name], "cabinetfs")
            for store in os.listdir(top) if os.path.isdir(top) else []:
                path = os.path.join(top, store)
                # The login is kept beside the state.
                if os.path.isdir(path) and not any("secret" in each or "token" in each for each in os.listdir(path)):
                    shutil.rmtree(path)

    def wait_sent(self, folder):
        run("cabinetfs", "flush", self.point, stderr=subprocess.DEVNULL)


def end_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def mounted(point):
    with open("/proc/self/mountinfo") as table:
        return any(line.split(" ")[4] == point for line in table)


def wait_for(condition, what, patience=LIMIT):
    until = time.monotonic() + patience
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(what)
        time.sleep(0.02)


def sizes(top):
    """Of the files below `top`, by path; empty while they come and go."""
    try:
        return {os.path.relpath(os.path.join(at, name), top): os.stat(os.path.join(at, name)).st_size
                for at, _, names in os.walk(top) for name in names}
    except FileNotFoundError:
        return {}


class Rclone(Mounted):
    def __init__(self, key, title, flags):
        self.key, self.title, self.flags = key, title, flags
        self.point = os.path.join(work, "mnt-" + key)
        self.process = None

    def __enter__(self):
        os.makedirs(self.point, exist_ok=True)
        cache = os.path.join(work, "rclone-cache")
        shutil.rmtree(cache, ignore_errors=True)
        os.mkdir(cache, 0o700)
        environment = {**os.environ, "RCLONE_CONFIG": config_file(), "RCLONE_CA_CERT": server.ca}
        with open(os.path.join(work, "rclone.log"), "ab") as log:
            self.process = subprocess.Popen(
                ["rclone", "mount", "bench:", self.point, "--vfs-cache-mode", "full", "--cache-dir", cache, *self.flags],
                env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL, preexec_fn=end_with_parent)
        try:
            wait_for(lambda: mounted(self.point) or self.process.poll() is not None, "rclone does not mount", 30)
            if self.process.poll() is not None:
                raise RuntimeError(f"rclone mount has ended: {self.last_words()}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        # It unmounts by itself when it is told to end.
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if mounted(self.point):
            subprocess.run(["fusermount3", "-uz", self.point], check=False)

    def last_words(self):
        with open(os.path.join(work, "rclone.log")) as log:
            return log.read()[-300:].strip()

    def wait_sent(self, folder):
        # It has no command that waits, so the server's disk is looked at. The server shows a file when it has all of it.
        here, there = self.path(folder), os.path.join(account, folder)

        wanted = sizes(here)
        wait_for(lambda: sizes(there) == wanted, "rclone does not send all")


def config_file():
    """The account for rclone, readable by us only; its password goes through a pipe."""
    path = os.path.join(work, "rclone.conf")
    if not os.path.exists(path):
        obscured = subprocess.run(["rclone", "obscure", "-"], check=True, capture_output=True, text=True, timeout=LIMIT,
                                  input=server.user["password"]).stdout.strip()
        with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as out:
            out.write(f"[bench]\ntype = webdav\nvendor = other\nurl = {server.url}/dav\nuser = {server.user['email']}\npass = {obscured}\n")
    return path


# What its manual offers for speed, for the lines of this bench.
TUNED = ["--transfers", "16", "--checkers", "32", "--dir-cache-time", "1h", "--attr-timeout", "1h", "--buffer-size", "64Mi",
         "--vfs-read-ahead", "256Mi", "--vfs-read-chunk-size", "32Mi", "--vfs-fast-fingerprint", "--vfs-write-back", "0s",
         "--max-read-ahead", "1Mi", "--no-modtime", "--no-checksum", "--multi-thread-streams", "16"]


def rclones():
    """As it comes, and tuned; nothing where it is not installed or the server is none for it."""
    if server.vendor != "webdav" or not shutil.which("rclone"):
        return [], "rclone"
    version = subprocess.run(["rclone", "version"], check=True, capture_output=True, text=True, timeout=LIMIT).stdout
    title = re.match(r"rclone \S+", version).group()
    tuned = list(TUNED)
    known = subprocess.run(["rclone", "mount", "--help"], check=True, capture_output=True, text=True, timeout=LIMIT).stdout
    if "--vfs-read-chunk-streams" in known:
        # Several ranges of one file at a time, since 1.69.
        tuned[tuned.index("--vfs-read-chunk-size") + 1] = "4Mi"
        tuned += ["--vfs-read-chunk-streams", "16"]
    return [Rclone("rclone", title, []), Rclone("tuned", title, tuned)], title
