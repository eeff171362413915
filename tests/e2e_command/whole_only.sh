# A server that knows no ranges sends a large file about once, whatever the order in which it is read.
remote_options=(--walk-ahead=no)
cold=67108864
. "$(dirname "$0")/begin.sh"
admin POST settings '{"ranges": false}' >/dev/null && login_as work 0 >/dev/null && cabinetfs mount work "$mnt" || exit 1
cp "$account/Projects/cold.bin" "$mnt/Projects/second.bin" && cabinetfs flush "$mnt" --timeout 60s && cabinetfs cache clear "$mnt" >/dev/null || exit 1

sent() { admin GET counts | json_of 'data["bytes_out"]'; }
sent_since() { local now; now=$(sent); echo "the server has sent $((now - $1)) bytes" && [[ $((now - $1)) -le $((2 * cold)) ]]; }
knows() { json_of "data['ranges']" < <(attribute capabilities "$mnt"); }
t_read() {
  local before
  before=$(sent) && cmp "$mnt/Projects/cold.bin" "$account/Projects/cold.bin" && sent_since "$before" && [[ $(knows) == False ]]
}
t_backwards() {
  local before
  before=$(sent) && exec 5<"$mnt/Projects/second.bin" && cmp <(tail -c 100000 "$mnt/Projects/second.bin") <(tail -c 100000 "$account/Projects/cold.bin") &&
    cmp "$mnt/Projects/second.bin" "$account/Projects/cold.bin" && exec 5<&- && sent_since "$before"
}

check "64 MiB are read with at most twice the traffic" t_read
check "and from the end" t_backwards
check_summary
