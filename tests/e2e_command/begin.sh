# Sourced by each script here: SCRIPT TOOLS-DIRECTORY PROJECT-DIRECTORY [VENDOR].
set -uo pipefail
# What a test cannot do without is missing: a failure, unless CABINETFS_ALLOW_SKIP=1 says that it is known.
missing() {
  echo "missing: $1"
  [[ ${CABINETFS_ALLOW_SKIP:-} == 1 ]] && exit 77
  exit 1
}
[[ -w /dev/fuse ]] || missing "a /dev/fuse that this user may open"
export PATH=$1:$PATH
vendor=${3:-kiteworks}
. "$2/tools/session.sh"
# WebDAV means a real Apache, but for scripts that need a server that misbehaves (`sandboxed=yes`).
[[ $vendor == webdav && -z ${sandboxed:-} ]] && . "${BASH_SOURCE[0]%/*}/webdav.sh"
session_begin cft

sample() {
  mkdir -p "$account/Projects/sub"
  printf 'one\n' >"$account/Projects/a.txt"
  printf 'two\n' >"$account/Projects/b.txt"
  printf 'deep\n' >"$account/Projects/sub/c.txt"
  [[ -z ${cold:-} ]] || head -c "$cold" /dev/urandom >"$account/Projects/cold.bin"
}
# Where a script needs something before: prepare().
! declare -F prepare >/dev/null || prepare || exit 1
# The usual beginning: server, remote "work", logged in. No request limit, a short quiet time.
sample
server_start 0 ${server_options[@]+"${server_options[@]}"} || {
  status=$?
  [[ $status -eq 77 ]] && missing "the server of $vendor"
  exit "$status"
}
remote_add work --user "$(credential users.0.email)" --rate-limit 0 --upload-delay 200ms "${remote_options[@]}" >/dev/null || exit 1
mount_pid() { cabinetfs status "${1:-$mnt}" --json | sed -n 's/^ *"pid": \([0-9]*\).*/\1/p'; }
server_has() { [[ $(on_server "$1") == "$2" ]] || { echo "the server has: $(on_server "$1")"; return 1; }; }
attribute() { getfattr --absolute-names --only-values -n "user.cabinet.$1" "$2"; }
json_of() { python3 -c 'import json, sys; data = json.load(sys.stdin); print(eval(sys.argv[1]))' "$@"; }
# Files of the account's folder $1, each with the number of its versions, sorted.
server_files() {
  [[ $vendor == webdav ]] && { (cd "$account/$1" && find . -name .DAV -prune -o -type f -printf '%P 1\n' | sort); return; }
  admin GET 'tree?deleted=false&hash=0' | python3 -c '
import json, sys
for node in sorted(json.load(sys.stdin)["nodes"], key=lambda node: node["path"]):
    if node["type"] in ("f", "file") and node["path"].startswith(sys.argv[1] + "/"):
        print(node["path"][len(sys.argv[1]) + 1:], len(node["versions"]))' "$1"
}
# The same with the MD5 of what they hold; sums_of NAME... is that of files here, as the server should have them.
server_sums() {
  [[ $vendor == webdav ]] && { (cd "$account/$1" && find . -name .DAV -prune -o -type f -printf '%P\0' | xargs -0 md5sum | sed 's/^\([^ ]*\)  \(.*\)/\2 \1/' | sort); return; }
  admin GET 'tree?deleted=false' | python3 -c '
import json, sys
for node in json.load(sys.stdin)["nodes"]:
    if node["type"] in ("f", "file") and node["path"].startswith(sys.argv[1] + "/"):
        print(node["path"][len(sys.argv[1]) + 1:], node["md5"])' "$1" | sort
}
sums_of() { md5sum -- "$@" | sed 's/^\([^ ]*\)  \(.*\)/\2 \1/' | sort; }
# faults RULE: the sandbox misbehaves; no_faults ends it.
faults() { admin POST faults "$1" >/dev/null; }
no_faults() { admin DELETE faults >/dev/null; }
# A change that is refused for good: requests with this method, to paths that match this.
refuse() {
  faults "{\"match\": {\"method\": \"$1\", \"path\": \"$2\"}, \"times\": 0, \"action\": \"status\", \"status\": 403, \
    \"body\": \"{\\\"errors\\\":[{\\\"code\\\":\\\"ERR_ACCESS_USER\\\",\\\"message\\\":\\\"no\\\"}]}\", \"content_type\": \"application/json\"}"
}
