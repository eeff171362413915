# Sourced by each script here: SCRIPT TOOLS-DIRECTORY PROJECT-DIRECTORY.
set -uo pipefail
[[ -w /dev/fuse ]] || { echo "skipped: no /dev/fuse that this user may open"; exit 77; }
export PATH=$1:$PATH
. "$2/tools/session.sh"
session_begin cft

sample() {
  mkdir -p "$account/Projects/sub"
  printf 'one\n' >"$account/Projects/a.txt"
  printf 'two\n' >"$account/Projects/b.txt"
  printf 'deep\n' >"$account/Projects/sub/c.txt"
}
# The usual beginning: server, remote "work", logged in. No request limit, a short quiet time.
sample
server_start || exit 1
remote_add work --rate-limit 0 --upload-delay 200ms "${remote_options[@]}" >/dev/null || exit 1
mount_pid() { cabinetfs status "${1:-$mnt}" --json | sed -n 's/^ *"pid": \([0-9]*\).*/\1/p'; }
server_has() { [[ $(on_server "$1") == "$2" ]] || { echo "the server has: $(on_server "$1")"; return 1; }; }
attribute() { getfattr --absolute-names --only-values -n "user.cabinet.$1" "$2"; }
json_of() { python3 -c 'import json, sys; data = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"; }
