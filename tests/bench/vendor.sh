#!/usr/bin/env bash
# The bench of one vendor, run by tests/bench/run: server, relay, remote and login, then lines.py. VENDOR; $size, $lines and
# $requests are set, the programs on the PATH.
set -uo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd) || exit 1
vendor=$1
. "$top/tools/session.sh"
unsent_patience=120s
session_begin cabinetfs-bench
export vendor work mnt account

# As server_start of the session, for the server that is no sandbox.
apache_start() {
  TMPDIR=$work/server setsid bench-dav --directory "$account" --port-file "$work/server/port" --ca-out "$work/server/ca.pem" \
    --credentials-out "$work/server/credentials.json" >>"$work/server/out.log" 2>&1 </dev/null &
  server_pid=$!
  eventually 30 test -s "$work/server/port" || { cat "$work/server/out.log" >&2; return 1; }
  port=$(<"$work/server/port")
  url=https://localhost:$port
}

python3 "$top/tests/bench/account.py" "$account" "$size" || exit 1
if [[ $vendor == webdav ]]; then apache_start; else server_start; fi || exit 1
direct_url=$url
# Kenesto's contents come from another port, and the addresses that the server gives away have to name the relay's.
content_port=$(sed -n 's/.*"content_url":"[^"]*:\([0-9]*\)".*/\1/p' "$work/server/out.log")
# It ends with this script: the mount is unmounted through it.
bench-relay --to "$port" ${content_port:+--to "$content_port"} --port-file "$work/relay-ports" >"$work/relay.log" 2>&1 &
eventually 10 test -s "$work/relay-ports" || exit 1
mapfile -t relay <"$work/relay-ports"
[[ -z $content_port ]] || admin POST settings "{\"store_host\": \"127.0.0.1:${relay[1]}\"}" >/dev/null || exit 1
url=https://localhost:${relay[0]}

# The login asks the sandbox for a token by the address of the session, which is the relay's.
user=$(credential users.0.email) || exit 1
path=
[[ $vendor == webdav ]] && path=/dav
relay_url=$url
url+=$path
remote_add bench --user "$user" --rate-limit 0 >/dev/null || exit 1
url=$relay_url
login_as bench >/dev/null || exit 1
export bench_url=$url direct_url ca=$work/server/ca.pem credentials=$work/server/credentials.json
python3 "$top/tests/bench/lines.py"
