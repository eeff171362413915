# Sourced by tools/demo, the bench and the tests of the command: a private configuration, state and cache, a local server
# ($vendor: kiteworks, kenesto, powerfolder, or webdav, for which PowerFolder's server is spoken to at /webdav alone), and the
# clean-up of both. Needs `cabinetfs` and `cabinetfs-sandbox` on the PATH.

# session_begin PREFIX: makes $work (with $mnt, $account) and points the XDG variables into it.
session_begin() {
  vendor=${vendor:-kiteworks}
  work=$(mktemp -d "${TMPDIR:-/tmp}/$1.XXXXXX") || exit 1
  mnt=$work/mnt
  account=$work/account
  server_pid=
  export XDG_CONFIG_HOME=$work/config XDG_STATE_HOME=$work/state XDG_CACHE_HOME=$work/cache XDG_RUNTIME_DIR=$work/run
  unset CABINETFS_CONFIG
  mkdir -m 700 "$work/config" "$work/state" "$work/cache" "$work/run" "$work/server"
  mkdir "$mnt" "$account"
  trap session_end EXIT
  trap 'exit 130' INT TERM
}

is_mounted() { grep -qF " ${1:-$mnt} " /proc/self/mountinfo; }

# Leaves nothing behind: mounts below $work are unmounted, the server is stopped, $work removed.
session_end() {
  local status=$? mount
  trap '' INT TERM
  trap - EXIT
  cd / || true
  while read -r mount; do
    [[ -n $mount ]] || continue
    cabinetfs umount "$mount" --timeout "${unsent_patience:-1s}" --force >&2
    grep -qF " $mount " /proc/self/mountinfo && { fusermount3 -uz "$mount" 2>/dev/null || umount -l "$mount"; }
  done < <(awk -v dir="$work/" 'index($5, dir) == 1 {print $5}' /proc/self/mountinfo | sort -r)
  server_end
  rm -rf --one-file-system "$work"
  exit "$status"
}

# server_start [PORT] [SANDBOX-ARGUMENT...]: sets $port, $url and $url_path, where the account lies below it. The state survives
# server_stop.
server_start() {
  local port_wanted=${1:-0} tries=0 served=$vendor
  url_path=
  [[ $vendor == webdav ]] && served=powerfolder url_path=/webdav
  shift || true
  rm -f "$work/server/port"
  # Its own session: Ctrl-C is for the script, which stops the server after the mount.
  setsid cabinetfs-sandbox --vendor "$served" --root "$account" --tls --state-dir "$work/server/state" --port "$port_wanted" \
    --port-file "$work/server/port" --ca-out "$work/server/ca.pem" --credentials-out "$work/server/credentials.json" \
    "$@" >>"$work/server/out.log" 2>&1 </dev/null &
  server_pid=$!
  while [[ ! -s $work/server/port ]]; do
    if ! kill -0 "$server_pid" 2>/dev/null || [[ $((tries += 1)) -gt 300 ]]; then
      cat "$work/server/out.log" >&2
      echo "the sandbox server did not start" >&2
      return 1
    fi
    sleep 0.1
  done
  port=$(<"$work/server/port")
  url=https://localhost:$port
}

server_stop() {
  [[ -n $server_pid ]] || return 0
  kill -TERM "$server_pid" 2>/dev/null
  wait "$server_pid" 2>/dev/null
  server_pid=
}
server_end() { server_stop; }

# admin METHOD PATH [JSON]: the server's own view of the account.
admin() {
  curl -sS --fail --cacert "$work/server/ca.pem" -X "$1" ${3:+-H 'Content-Type: application/json' -d "$3"} "$url/_admin/$2"
}
# Content of a file on the server.
on_server() { admin GET "content?path=$(printf %s "$1" | sed 's/%/%25/g; s/ /%20/g; s/&/%26/g')"; }

# credential KEY...: values of the sandbox's credentials ("users.0.refresh_token"), one a line; for pipes, never for
# arguments.
credential() {
  python3 -c '
import functools, json, sys
data = json.load(open(sys.argv[1]))
step = lambda node, key: node[int(key)] if isinstance(node, list) else node[key]
for path in sys.argv[2:]:
    print(functools.reduce(step, path.split("."), data))' "$work/server/credentials.json" "$@"
}

# remote_add NAME [OPTION...]: the server as a remote; login_as NAME USER-NUMBER logs in without a browser.
remote_add() {
  local name=$1 own=()
  shift
  [[ $vendor == kiteworks ]] && own=(--client-id "$(credential client_id)")
  cabinetfs remote add "$name" --vendor "$vendor" --url "$url${url_path:-}" "${own[@]}" \
    --ca-file "$work/server/ca.pem" --secret-store file "$@"
}
# Kiteworks: with a refresh token of its own each time, since one works once. Kenesto: with access key and password.
# PowerFolder, WebDAV: with the password.
login_as() {
  local user=${2:-0} email
  case "$vendor" in
    kenesto) credential client_secret "users.$user.password" | cabinetfs login "$1" --secret-stdin; return ;;
    powerfolder | webdav) credential "users.$user.password" | cabinetfs login "$1" --secret-stdin; return ;;
  esac
  email=$(credential "users.$user.email") || return 1
  { credential client_secret && admin POST token "{\"user\": \"$email\"}" |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["refresh_token"])'; } | cabinetfs login "$1" --secret-stdin
}

# eventually SECONDS COMMAND...: true as soon as the command is.
eventually() {
  local until=$((SECONDS + $1))
  shift
  while ! "$@"; do
    [[ $SECONDS -ge $until ]] && return 1
    sleep 0.1
  done
}
# exits CODE COMMAND...
exits() {
  local want=$1 got
  shift
  "$@"
  got=$?
  [[ $got -eq $want ]] || { echo "exit status $got instead of $want: $*" >&2; return 1; }
}

# check WHAT COMMAND...: one line of the result; check_summary prints the numbers and fails if one has failed.
passed=0 failed=0
check() {
  local what=$1
  shift
  if "$@" >"$work/check.log" 2>&1; then
    passed=$((passed + 1))
    printf 'ok      %s\n' "$what"
  else
    failed=$((failed + 1))
    printf 'FAILED  %s\n' "$what"
    tail -n 15 "$work/check.log" | sed 's/^/        /'
  fi
}
check_summary() {
  echo "$passed passed, $failed failed"
  [[ $failed -eq 0 ]]
}
