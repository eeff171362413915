# Kenesto: check-outs in vaults, and numbers for documents.
# What is written is sent by `flush`, and not meanwhile.
remote_options=(--fresh 1s --poll-interval 1s --upload-delay 60s)
. "$(dirname "$0")/begin.sh"
for n in 1 2 3 4; do
  admin POST as "{\"op\": \"put\", \"path\": \"Drawings/d$n.dwg\", \"content\": \"drawing $n\\n\"}" >/dev/null || exit 1
done
admin POST as '{"op": "vault", "path": "Drawings", "vault": true}' >/dev/null &&
  admin POST as '{"op": "share", "path": "Drawings", "with": "bob@example.com", "level": "ALLOW_UPDATE_VERSIONS"}' >/dev/null || exit 1
login_as work 0 >/dev/null && cabinetfs mount work "$mnt" || exit 1
D=$mnt/Drawings

bob() { admin POST as "{\"user\": \"bob@example.com\", \"op\": \"$1\", \"path\": \"Drawings/$2\"}" >/dev/null; }
holder() { admin GET 'tree?deleted=false&hash=0' | json_of "[n['lock_user'] or '' for n in data['nodes'] if n['path'] == 'Drawings/$1'][0]"; }
versions() { server_files Drawings | sed -n "s/^$1 //p"; }
lock_is() { local file want=$1; shift; for file; do [[ $(attribute lock "$D/$file") == $want ]] || { echo "$file: $(attribute lock "$D/$file")"; return 1; }; done; }
requests() { admin GET counts | json_of "sum(n for e, n in data['endpoints'].items() if '$1' in e)"; }

t_checkout() {
  local before
  ls "$D" >/dev/null && before=$(requests CheckOutMultiple) && cabinetfs checkout "$D"/d[123].dwg && lock_is held d1.dwg d2.dwg d3.dwg &&
    [[ $(requests CheckOutMultiple) -eq $((before + 1)) && $(holder d2.dwg) == *alice* && -z $(holder d4.dwg) ]]
}
# What is checked out by hand stays so when the content has arrived.
t_edit() { echo 'as built' >"$D/d1.dwg" && cabinetfs flush "$D" --timeout 60s && server_has Drawings/d1.dwg 'as built' && lock_is held d1.dwg; }
t_checkin() {
  cabinetfs checkin -m 'as built, checked' "$D"/d[12].dwg && lock_is free d1.dwg d2.dwg && lock_is held d3.dwg && [[ -z $(holder d1.dwg) ]] &&
    cabinetfs history "$D/d1.dwg" | grep -q 'as built, checked'
}
t_discard() {
  echo 'a mistake' >"$D/d3.dwg" && cabinetfs discard-checkout "$D/d3.dwg" && eventually 10 grep -qx 'drawing 3' "$D/d3.dwg" && lock_is free d3.dwg &&
    [[ -z $(holder d3.dwg) && $(attribute state "$D/d3.dwg") == clean && $(versions d3.dwg) -eq 1 ]]
}
t_by_itself() {
  echo 'by itself' >"$D/d2.dwg" && [[ $(holder d2.dwg) == *alice* ]] && cabinetfs flush "$D" --timeout 60s && eventually 30 lock_is free d2.dwg &&
    server_has Drawings/d2.dwg 'by itself' && [[ $(versions d2.dwg) -eq 2 ]]
}
t_somebody_else() {
  bob lock d4.dwg && eventually 20 lock_is 'held-by:*ob*' d4.dwg || return 1
  # A program is told at once, and nothing of it is sent.
  ! { echo mine >"$D/d4.dwg"; } 2>"$work/err" && grep -qi 'permission denied' "$work/err" &&
    exits 1 cabinetfs checkout "$D/d4.dwg" 2>"$work/err" && cat "$work/err" && grep -q 'd4.dwg' "$work/err" && grep -qi bob "$work/err" &&
    server_has Drawings/d4.dwg 'drawing 4' && grep -qx 'drawing 4' "$D/d4.dwg"
}
t_partly() {
  # One of several cannot be had: the others are, and the message names the one.
  exits 1 cabinetfs checkout "$D/d1.dwg" "$D/d4.dwg" 2>"$work/err" && grep -q d4.dwg "$work/err" && ! grep -q d1.dwg "$work/err" && lock_is held d1.dwg &&
    cabinetfs checkin "$D/d1.dwg" && bob unlock d4.dwg && eventually 20 lock_is free d4.dwg
}
t_not_here() { exits 1 cabinetfs checkout "$D" && exits 1 cabinetfs checkout "$D/none.dwg" && exits 2 cabinetfs checkout; }

sequence() { cabinetfs sequence "$@" --on "$mnt"; }
t_sequence() {
  sequence create Drawings --prefix D- --number 100 && sequence list | grep -q '^Drawings' && [[ $(sequence list --json | json_of '[s["name"] for s in data]') == "['Drawings']" ]]
}
t_next() {
  local first second
  first=$(sequence next Drawings) && second=$(sequence next Drawings) && echo "$first, then $second" && [[ $first == D-* && $second == D-* && $first != "$second" ]] &&
    [[ $(sequence current Drawings) == *"${second#D-}"* ]]
}
t_locked() {
  sequence next Drawings --lock && [[ $(sequence list --json | json_of 'data[0]["locked"]') == True ]] && sequence release Drawings &&
    [[ $(sequence list --json | json_of 'data[0]["locked"]') == False ]] && sequence next Drawings
}
t_removed() { sequence remove Drawings && [[ $(sequence list --json) == '[]' ]] && exits 1 sequence next Drawings; }
t_sequence_usage() { exits 2 sequence && exits 2 sequence count && exits 2 sequence next && exits 1 cabinetfs sequence list --on /; }

check "checkout of several files is one request" t_checkout
check "a check-out by hand outlives an upload" t_edit
check "checkin -m, the comment in the history" t_checkin
check "discard-checkout goes back to the server's version" t_discard
check "the first write checks out, the upload checks in" t_by_itself
check "checked out by somebody else: EACCES, and by whom" t_somebody_else
check "one of several checked out by somebody else" t_partly
check "only files that are there are checked out" t_not_here
check "sequence create, list" t_sequence
check "sequence next, current" t_next
check "sequence next --lock, release" t_locked
check "sequence remove" t_removed
check "sequence checks its arguments" t_sequence_usage
check_summary
