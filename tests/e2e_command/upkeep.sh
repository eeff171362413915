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
check "cache clear" t_clear
check "the same on a store that is not mounted" t_idle
check "the same beside another session's mount" t_another
check "an unknown store" t_unknown
check "status --watch ends with Ctrl-C" t_watch
check "doctor" t_doctor
check_summary
