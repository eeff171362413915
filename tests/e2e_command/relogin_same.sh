# One refused request ends a login by password for good: accounts are locked by less. After `cabinetfs login` with the very same
# password the mount goes on.
sandboxed=yes
remote_options=(--fresh 1s --poll-interval 1s --walk-ahead=no)
cold=300000
. "$(dirname "$0")/begin.sh"
# The server gives no token in the password's place.
no_tokens='{"match": {"method": "POST", "path": "^/login"}, "times": 0, "action": "status", "status": 404}'
stored() { json_of "data['work'].get('$1')" <"$work/state/cabinetfs/secrets.json"; }
faults "$no_tokens" && login_as work 0 >/dev/null && cabinetfs mount work "$mnt" && ls -l "$mnt/Projects" >/dev/null || exit 1

asked() { cabinetfs status "$mnt" | tee "$work/status" | grep -q 'cabinetfs login work'; }
t_refused() {
  faults '{"match": {"path": "^/webdav"}, "times": 0, "action": "status", "status": 401}' &&
    { eventually 30 asked || { cat "$work/status"; return 1; }; } && no_faults && faults "$no_tokens"
}
t_stays() { ! cat "$mnt/Projects/cold.bin" >/dev/null 2>"$work/err" && cat "$work/err" && grep -qi 'permission denied' "$work/err"; }
t_again() {
  local before
  before=$(stored password) && login_as work 0 && [[ $(stored password) == "$before" ]] &&
    eventually 20 cmp "$mnt/Projects/cold.bin" "$account/Projects/cold.bin"
}
t_forgotten() { cabinetfs umount "$mnt" && cabinetfs remote remove work && ! grep -qE 'password|"login"' "$work/state/cabinetfs/secrets.json"; }

check "the login is refused once: status says what to do" t_refused
check "it is not tried again by itself" t_stays
check "after a login with the same password the mount goes on" t_again
check "remote remove forgets the credentials" t_forgotten
check_summary
