# Tokens, sessions and access URLs end in the middle of a large read and a large upload, and no program notices.
# CABINETFS_E2E_MIB: how large (24).
remote_options=()
[[ ${3:-} == powerfolder ]] && remote_options=(--auth code --client-id sandbox-client --redirect-port 0)
. "$(dirname "$0")/begin.sh"
# PowerFolder: only tokens of OAuth end by themselves.
[[ $vendor == powerfolder ]] && login_as() {
  { credential client_secret && admin POST token '{"user": "alice@example.com"}' | json_of 'data["refresh_token"]'; } |
    cabinetfs login "$1" --secret-stdin
}
mib=${CABINETFS_E2E_MIB:-24}
size=$((mib << 20))
put='{"op": "put", "path": "Projects/%s", "size": '$size', "seed": %s}'
admin POST as "$(printf "$put" big 7)" >/dev/null && login_as work 0 >/dev/null && cabinetfs mount work "$mnt" || exit 1
ls "$mnt/Projects" >/dev/null
# Four seconds each way at the least, so that there is a middle.
admin POST settings "{\"bandwidth_total\": $((size / 4))}" >/dev/null || exit 1

expire() {
  case "$vendor" in
    kiteworks | powerfolder) admin POST expire_tokens '{"access": true}' ;;
    kenesto) admin POST expire_tokens '{"kind": "session"}' && admin POST expire_urls '{"kind": "all"}' ;;
  esac >/dev/null
}
size_at_least() { [[ $(stat -c %s "$1") -ge $2 ]]; }
sent_at_least() { local state; state=$(attribute state "$mnt/Projects/mine") && [[ $state == uploading:* && ${state#uploading:} -ge $1 ]]; }
# The server has refused what had ended: without that nothing was shown.
refusals() {
  case "$vendor" in
    kenesto) echo $(($(admin GET store | json_of 'data["expired"]') + $(admin GET counts | json_of 'sum(n for e, n in data["endpoints"].items() if "Login" in e)'))) ;;
    *) admin GET counts | json_of 'data["statuses"].get("401", 0)' ;;
  esac
}

t_read() {
  local reader part before
  before=$(refusals)
  cat "$mnt/Projects/big" >"$work/copy" &
  reader=$!
  # The first time before all of it has been asked for.
  for part in 65536 $((size / 4)) $((size / 2)); do
    eventually 120 size_at_least "$work/copy" "$part" && expire || return 1
  done
  wait "$reader" && [[ $(refusals) -gt $before ]] && admin GET 'content?path=Projects/big' | cmp - "$work/copy"
}
t_upload() {
  local part before
  before=$(refusals)
  cp "$work/copy" "$mnt/Projects/mine" || return 1
  for part in 20 40 60; do
    eventually 120 sent_at_least "$part" && expire || return 1
  done
  cabinetfs flush "$mnt" --timeout 180s && [[ $(refusals) -gt $before ]] && admin GET 'content?path=Projects/mine' | cmp - "$work/copy" &&
    [[ $(server_files Projects | grep '^mine ') == 'mine 1' ]] && [[ $(attribute state "$mnt/Projects/mine") == clean ]]
}
t_still_logged_in() { cabinetfs remote test work && cabinetfs status "$mnt" | grep -q 'everything is on the server'; }

check "credentials end three times while $mib MiB are read" t_read
check "and while $mib MiB are sent" t_upload
check "afterwards all is well" t_still_logged_in
check_summary
