remote_options=()
users=$(mktemp) && trap 'rm -f "$users"' EXIT
echo '{"users": [{"email": "alice@example.com"}, {"email": "bob@example.com"}, {"email": "carol@example.com"}]}' >"$users"
server_options=(--users "$users")
. "$(dirname "$0")/begin.sh"
rm -f "$users"
login_as work 0 >/dev/null && cabinetfs mount work "$mnt" || exit 1
file=$mnt/Projects/a.txt

t_versions() {
  echo second >"$file" && cabinetfs flush "$file" && [[ $(cabinetfs versions "$file" --json | json_of '[(v["number"], v["current"]) for v in data]') == '[(2, True), (1, False)]' ]] &&
    cabinetfs versions "$file" | grep -q '^2 .*current'
}
t_diff() { exits 1 cabinetfs diff "$file" 1 >"$work/diff"; grep -qx -- -one "$work/diff" && grep -qx -- +second "$work/diff" && exits 1 cabinetfs diff "$file" 9 2>"$work/err" && grep -q 'version 9' "$work/err" && cabinetfs diff "$file" 2; }
t_diff_with() {
  printf '#!/bin/sh\necho "$#: $(cat "$1") $(cat "$2")"\nexit 3\n' >"$work/compare" && chmod +x "$work/compare" || return 1
  exits 1 cabinetfs diff "$file" 1 --with "$work/compare" >"$work/diff" && [[ $(cat "$work/diff") == '2: one second' ]]
}
t_restore() { cabinetfs restore "$file" 1 && eventually 10 grep -qx one "$file" && server_has Projects/a.txt one; }
t_history() { cabinetfs history "$file" | grep -q alice && [[ $(cabinetfs history "$file" --json | json_of 'len(data) > 0') == True ]]; }
t_share() {
  cabinetfs share "$mnt/Projects" bob@example.com write && cabinetfs permissions "$mnt/Projects" | grep -q 'bob@example.com *write' &&
    [[ $(cabinetfs permissions "$mnt/Projects" --json | json_of '[p["level"] for p in data if p["who"] == "bob@example.com"]') == "['write']" ]] &&
    cabinetfs unshare "$mnt/Projects" bob@example.com && ! cabinetfs permissions "$mnt/Projects" | grep -q bob
}
who() { cabinetfs permissions "$1" --json | json_of '[p["who"] + " " + p["level"] for p in data]'; }
t_share_many() {
  mkdir "$mnt/Plans" && cabinetfs flush "$mnt/Plans" --timeout 30s && cabinetfs share "$mnt/Projects" bob@example.com,carol@example.com read --also "$mnt/Plans" || return 1
  local folder person
  for folder in Projects Plans; do
    who "$mnt/$folder" >"$work/who" && for person in bob carol; do grep -q "$person@example.com read" "$work/who" || return 1; done
  done
  cabinetfs unshare "$mnt/Plans" carol@example.com && who "$mnt/Plans" >"$work/who" && ! grep -q carol "$work/who" && grep -q bob "$work/who"
}
t_share_errors() {
  # Nobody of that name; not a level; a file that is not on the mount; who has no access cannot lose it; no such call here.
  exits 1 cabinetfs share "$mnt/Projects" nobody@example.com read 2>"$work/err" && cat "$work/err" && grep -q 'nobody@example.com' "$work/err" &&
    exits 2 cabinetfs share "$mnt/Projects" bob@example.com everything && exits 1 cabinetfs share /etc bob@example.com read &&
    exits 1 cabinetfs unshare "$mnt/Plans" carol@example.com 2>"$work/err" && cat "$work/err" && grep -q carol "$work/err" &&
    exits 1 cabinetfs unshare -y "$mnt/Plans" --all 2>"$work/err" && cat "$work/err"
}
t_lock_several() {
  cabinetfs lock "$mnt"/Projects/[ab].txt && [[ $(attribute lock "$mnt/Projects/b.txt") == held ]] && cabinetfs unlock "$mnt"/Projects/[ab].txt && [[ $(attribute lock "$mnt/Projects/b.txt") == free ]]
}
t_no_sequences() { exits 1 cabinetfs sequence list --on "$mnt" 2>"$work/err" && grep -q 'no document numbers' "$work/err"; }
t_lock() { cabinetfs lock "$file" && [[ $(attribute lock "$file") == held ]] && cabinetfs unlock "$file" && [[ $(attribute lock "$file") == free ]]; }
t_pin() { cabinetfs pin "$file" && [[ $(attribute pin "$file") == pinned ]] && cabinetfs unpin "$file" && [[ $(attribute pin "$file") == unpinned ]] && cabinetfs unpin --inherit "$file" && [[ $(attribute pin "$file") == inherit ]]; }
t_pin_folder() { cabinetfs pin "$mnt/Projects/sub" && eventually 10 test "$(attribute cached "$mnt/Projects/sub/c.txt")" = 5 && [[ $(attribute pin "$mnt/Projects/sub/c.txt") == inherit ]] && cabinetfs unpin "$mnt/Projects/sub" && exits 1 cabinetfs pin "$mnt/none"; }
t_prefetch() { cabinetfs prefetch "$mnt/Projects/sub" && [[ $(attribute cached "$mnt/Projects/sub/c.txt") -eq 5 ]]; }
t_send() {
  echo 'off the mount' >"$work/local.txt"
  cabinetfs send "$file" "$work/local.txt" --to bob@example.com --subject 'Two files' --body 'Hello' &&
    [[ $(admin GET mails | json_of 'sorted(a["name"] for a in data["mails"][-1]["files"])') == "['a.txt', 'local.txt']" ]]
}
last_mail() { admin GET mails | json_of "(lambda m: $1)(data['mails'][-1])"; }
t_send_options() {
  printf 'from a pipe\n' | cabinetfs send "$file" --to bob@example.com --cc carol@example.com --bcc alice@example.com -s 'Copies' --body-stdin &&
    [[ $(last_mail '[m["to"], m["cc"], m["bcc"], m["draft"]]') == "[['bob@example.com'], ['carol@example.com'], ['alice@example.com'], False]" ]] &&
    [[ $(last_mail 'm["body"].strip()') == 'from a pipe' ]] || return 1
  # Nobody gets it yet.
  cabinetfs send "$file" --subject Later --body 'not yet' --draft && [[ $(last_mail '[m["subject"], m["draft"], m["to"], len(m["files"])]') == "['Later', True, [], 1]" ]]
}
t_send_usage() { exits 2 cabinetfs send "$file" && exits 1 cabinetfs send "$work/none" --to bob@example.com; }
t_errors() { exits 1 cabinetfs versions /etc/passwd && exits 1 cabinetfs restore "$file" 99 2>"$work/err" && grep -q 99 "$work/err" && exits 2 cabinetfs restore "$file" x; }

check "versions" t_versions
check "diff" t_diff
check "diff --with another program" t_diff_with
check "restore" t_restore
check "history" t_history
check "share, permissions, unshare" t_share
check "share with several people, --also" t_share_many
check "share and unshare tell what went wrong" t_share_errors
check "lock, unlock" t_lock
check "lock, unlock of several" t_lock_several
check "sequence where there are none" t_no_sequences
check "pin, unpin" t_pin
check "pin a folder" t_pin_folder
check "prefetch" t_prefetch
check "send" t_send
check "send with --cc, --bcc, --body-stdin; --draft" t_send_options
check "send checks its arguments" t_send_usage
check "errors are errors" t_errors
check_summary
