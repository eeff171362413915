"""The server as the bench sees it: which requests came, and how curl gets and sends what cabinetfs does, by the same line.

What curl needs to know stands in a file of mode 0600: tokens, passwords and signed addresses are never on a command line.
"""
import collections
import glob
import json
import os
import ssl
import subprocess
import time
import urllib.parse
import urllib.request

work, vendor = os.environ["work"], os.environ["vendor"]
url, direct, ca = os.environ["bench_url"], os.environ["direct_url"], os.environ["ca"]
context = ssl.create_default_context(cafile=ca)
with open(os.environ["credentials"]) as source:
    user = json.load(source)["users"][0]


def ask(address, method="GET", body=None):
    """JSON from the server itself, not by the relay."""
    request = urllib.request.Request(address, method=method, data=None if body is None else json.dumps(body).encode())
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, context=context, timeout=60) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def counted():
    if vendor == "webdav":
        with open(glob.glob(os.path.join(work, "server/dav-server-*/access.log"))[0]) as log:
            return collections.Counter(line.split(" ", 1)[0] for line in log if "/ready-" not in line)
    counts = ask(f"{direct}/_admin/counts")["endpoints"]
    return collections.Counter({name: count for name, count in counts.items() if "_admin" not in name})


def requests(patience=10):
    """How many of which the server has answered so far, when it has come to rest."""
    until = time.monotonic() + patience
    now = counted()
    while time.monotonic() < until:
        time.sleep(0.15)
        before, now = now, counted()
        if now == before:
            break
    return now


def files(folder):
    """Sizes of the files below a folder of the account, by path, as the server has them."""
    if vendor == "webdav":
        top = os.path.join(os.environ["account"], folder)
        return {os.path.relpath(os.path.join(at, name), top): os.stat(os.path.join(at, name)).st_size
                for at, _, names in os.walk(top) for name in names if "/.DAV" not in at}
    nodes = ask(f"{direct}/_admin/tree?deleted=false&hash=0")["nodes"]
    return {node["path"][len(folder) + 1:]: node["size"] for node in nodes
            if node["type"] in ("f", "file") and node["path"].startswith(folder + "/")}


class Kiteworks:
    def _headers(self):
        return [f'header = "Authorization: Bearer {user["access_token"]}"', 'header = "X-Accellion-Version: 28"']

    def get(self, path, identity):
        return [f'url = "{url}/rest/files/{identity}/content"', *self._headers()]

    def put(self, source, folder, name):
        return [f'url = "{url}/rest/folders/{folder}/actions/file"', f'form = "body=@{source};filename={name}"', *self._headers()]


class Kenesto:
    """The address of a content at its store is asked for before curl's time begins."""

    def _call(self, name, **query):
        query["t"] = user["access_token"]
        return ask(f"{direct}/Kenesto.Web.API/KDocuments.svc/{name}?{urllib.parse.urlencode(query)}")["ResponseData"]

    def get(self, path, identity):
        versions = self._call("RetrieveFileVersions", fid=identity)["FileVersionsList"]
        current = next(each["Id"] for each in versions if each["IsCurrentVersion"])
        return [f'url = "{self._call("DownloadFile", fid=current)["AccessUrl"]}"']

    def put(self, source, folder, name):
        place = self._call("UploadFile", p=name, fid=folder)["AccessUrl"]
        return [f'url = "{place}"', f'upload-file = "{source}"', 'header = "Content-Type: multipart/form-data"']


class Dav:
    def __init__(self, root):
        self.root = root

    def _login(self):
        return f'user = "{user["email"]}:{user["password"]}"'

    def get(self, path, identity):
        return [f'url = "{url}{self.root}/{path}"', self._login()]

    def put(self, source, folder, name):
        return [f'url = "{url}{self.root}/Incoming/curl/{name}"', f'upload-file = "{source}"', self._login()]


curl = {"kiteworks": Kiteworks(), "kenesto": Kenesto(), "powerfolder": Dav("/webdav"), "webdav": Dav("/dav")}[vendor]


def curl_times(config, ranges=(None,)):
    """Seconds that curl takes for one transfer, or for those ranges of it at one time."""
    path = os.path.join(work, "curl-config")
    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as out:
        out.write("\n".join(config) + "\n")
    started = time.monotonic()
    command = ["curl", "-sS", "--fail", "--cacert", ca, "-K", path, "-o", "/dev/null"]
    curls = [subprocess.Popen(command + (["-r", each] if each else [])) for each in ranges]
    statuses = [each.wait() for each in curls]
    if any(statuses):
        raise RuntimeError(f"curl failed ({max(statuses)})")
    return time.monotonic() - started


def get_by_curl(path, identity, size, parts):
    share = -(-size // parts)
    return curl_times(curl.get(path, identity), [f"{at}-{min(size, at + share) - 1}" for at in range(0, size, share)])


def put_by_curl(source, folder, name):
    return curl_times(curl.put(source, folder, name))
