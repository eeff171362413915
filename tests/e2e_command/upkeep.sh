remote_options=()
. "$(dirname "$0")/begin.sh"
login_as work 0 >/dev/null && cabinetfs mount work "$mnt" || exit 1
head -c 3000000 /dev/zero | tr '\0' x >"$mnt/Projects/big" && cabinetfs flush "$mnt" && cat "$mnt"/Projects/[ab].txt >/dev/null

cached() { cabinetfs cache stats "$1" --json | json_of 'data[0]["cache_bytes"]'; }
t_stats() { [[ $(cached "$mnt") -ge 3000000 ]] && cabinetfs cache stats | grep -q "$mnt"; }
t_verify() { [[ $(cabinetfs cache verify "$mnt" --json | json_of '(data[0]["blocks"] > 40, data[0]["bad_blocks"])') == '(True, 0)' ]]; }
t_gc() { cabinetfs cache gc "$mnt"; }
t_clear() { cabinetfs cache clear "$mnt" && [[ $(cached "$mnt") -lt 1000000 ]] && [[ $(cat "$mnt/Projects/a.txt") == one ]]; }
t_idle() {
  cat "$mnt/Projects/big" >/dev/null && cabinetfs umount "$mnt" && [[ $(cached work) -ge 3000000 ]] && cabinetfs cache verify work && cabinetfs cache clear work &&
    [[ $(cached work) -eq 0 ]] && cabinetfs mount work "$mnt" && [[ $(wc -c <"$mnt/Projects/big") -eq 3000000 ]]
}
# What is pinned stays, and is no longer pinned only when somebody says so.
t_idle_pinned() {
  cabinetfs pin "$mnt/Projects/a.txt" && cat "$mnt/Projects/big" "$mnt/Projects/a.txt" >/dev/null && eventually 10 test "$(attribute cached "$mnt/Projects/a.txt")" = 4 || return 1
  cabinetfs umount "$mnt" && cabinetfs cache clear work || return 1
  [[ $(cached work) -gt 0 && $(cached work) -lt 1000000 ]] || return 1
  server_stop
  cabinetfs mount work "$mnt" && [[ $(attribute cached "$mnt/Projects/a.txt") -eq 4 && $(cat "$mnt/Projects/a.txt") == one ]]
  local status=$?
  cabinetfs umount "$mnt" && cabinetfs cache clear --force work && [[ $(cached work) -eq 0 ]] || status=1
  server_start "$port" && cabinetfs mount work "$mnt" && cabinetfs unpin --inherit "$mnt/Projects/a.txt" || status=1
  return "$status"
}
# A store that nobody can read any more is removed whole.
t_idle_without_key() {
  local key=$work/key secrets
  cat "$mnt/Projects/big" >/dev/null && cabinetfs umount "$mnt" && [[ $(cached work) -ge 3000000 ]] || return 1
  secrets=$(grep -rlF store_key "$XDG_STATE_HOME") && mv "$secrets" "$key" || return 1
  exits 1 cabinetfs cache verify work && cabinetfs cache clear work && [[ $(find "$XDG_CACHE_HOME" -type f | wc -l) -eq 0 ]]
  local status=$?
  mv "$key" "$secrets" && cabinetfs mount work "$mnt" && [[ $status -eq 0 ]]
}
# Another session's mount of a remote of that name, whose control socket is out of reach.
t_another() {
  local other=$work/other status
  mkdir -p "$other/run" "$other/mnt" && chmod 700 "$other/run"
  cp -r "$XDG_CONFIG_HOME" "$other/config"
  elsewhere() { XDG_STATE_HOME=$other/state XDG_CACHE_HOME=$other/cache XDG_RUNTIME_DIR=$other/run "$@"; }
  mkdir -p "$other/state" && cp -r "$XDG_STATE_HOME/cabinetfs" "$other/state/" && rm -rf "$other/state/cabinetfs/"*/{meta.db*,staged,lock}
  elsewhere cabinetfs mount work "$other/mnt" || return 1
  t_idle
  status=$?
  elsewhere cabinetfs umount "$other/mnt" && [[ $status -eq 0 ]]
}
# Down to the limit that the configuration has now.
t_gc_to_the_limit() {
  local config=$XDG_CONFIG_HOME/cabinetfs/config.toml status
  cat "$mnt/Projects/big" >/dev/null && cabinetfs umount "$mnt" && [[ $(cached work) -ge 3000000 ]] || return 1
  cp "$config" "$work/config.before" && sed -i 's/^\[remote.work\]$/&\ncache_size = "1MiB"/' "$config" && cabinetfs cache gc work && [[ $(cached work) -le 1048576 ]]
  status=$?
  cp "$work/config.before" "$config" && cabinetfs mount work "$mnt" && [[ $status -eq 0 ]]
}
t_remote_test() { [[ $(cabinetfs remote test work --json | json_of '(data["remote"], data["account"]["email"], data["folders"] > 0)') == "('work', 'alice@example.com', True)" ]]; }
# What is unsent is not thrown away with the remote; the last of all, since nothing can be mounted afterwards.
t_remote_remove() {
  server_stop
  echo unsent >"$mnt/Projects/unsent" && cabinetfs umount "$mnt" --detach && exits 5 cabinetfs remote remove work 2>"$work/err" && grep -q -- --force "$work/err" && cabinetfs remote list --names | grep -qx work &&
    cabinetfs remote remove --force work && ! cabinetfs remote list --names | grep -qx work && exits 2 cabinetfs mount work "$mnt" &&
    [[ $(find "$XDG_STATE_HOME/cabinetfs/stores/work/staged" -type f | wc -l) -gt 0 ]] && ! grep -rq refresh_token "$XDG_STATE_HOME"
}
t_unknown() { exits 1 cabinetfs cache stats nonsense; }
t_watch() {
  local pid
  cabinetfs status "$mnt" --watch >"$work/watch.out" &
  pid=$!
  eventually 10 grep -q 'on the server' "$work/watch.out" && kill -INT "$pid" && wait "$pid"
}
t_doctor() { cabinetfs doctor | grep -q 'logged in as alice'; }

check "cache stats" t_stats
check "cache verify" t_verify
check "cache gc" t_gc
check "cache gc shrinks to the limit" t_gc_to_the_limit
check "cache clear" t_clear
check "the same on a store that is not mounted" t_idle
check "what is pinned stays there" t_idle_pinned
check "... and goes with the key" t_idle_without_key
check "the same beside another session's mount" t_another
check "an unknown store" t_unknown
check "status --watch ends with Ctrl-C" t_watch
check "doctor" t_doctor
check "remote test --json" t_remote_test
check "remote remove, --force" t_remote_remove
check_summary
