remote_options=()
. "$(dirname "$0")/begin.sh"
login_as work 0 >/dev/null && cabinetfs mount work "$mnt" || exit 1
file=$mnt/Projects/a.txt

t_versions() {
  echo second >"$file" && cabinetfs flush "$file" && [[ $(cabinetfs versions "$file" --json | json_of '[(v["number"], v["current"]) for v in data]') == '[(2, True), (1, False)]' ]] &&
    cabinetfs versions "$file" | grep -q '^2 .*current'
}
t_diff() { exits 1 cabinetfs diff "$file" 1 >"$work/diff"; grep -qx -- -one "$work/diff" && grep -qx -- +second "$work/diff" && exits 1 cabinetfs diff "$file" 9; }
t_restore() { cabinetfs restore "$file" 1 && eventually 10 grep -qx one "$file" && server_has Projects/a.txt one; }
t_history() { cabinetfs history "$file" | grep -q alice && [[ $(cabinetfs history "$file" --json | json_of 'len(data) > 0') == True ]]; }
t_share() {
  cabinetfs share "$mnt/Projects" bob@example.com write && cabinetfs permissions "$mnt/Projects" | grep -q 'bob@example.com *write' &&
    [[ $(cabinetfs permissions "$mnt/Projects" --json | json_of '[p["level"] for p in data if p["who"] == "bob@example.com"]') == "['write']" ]] &&
    cabinetfs unshare "$mnt/Projects" bob@example.com && ! cabinetfs permissions "$mnt/Projects" | grep -q bob
}
t_lock() { cabinetfs lock "$file" && [[ $(attribute lock "$file") == held ]] && cabinetfs unlock "$file" && [[ $(attribute lock "$file") == free ]]; }
t_pin() { cabinetfs pin "$file" && [[ $(attribute pin "$file") == pinned ]] && cabinetfs unpin "$file" && [[ $(attribute pin "$file") == unpinned ]] && cabinetfs unpin --inherit "$file" && [[ $(attribute pin "$file") == inherit ]]; }
t_prefetch() { cabinetfs prefetch "$mnt/Projects/sub" && [[ $(attribute cached "$mnt/Projects/sub/c.txt") -eq 5 ]]; }
t_send() {
  echo 'off the mount' >"$work/local.txt"
  cabinetfs send "$file" "$work/local.txt" --to bob@example.com --subject 'Two files' --body 'Hello' &&
    [[ $(admin GET mails | json_of 'sorted(a["name"] for a in data["mails"][-1]["files"])') == "['a.txt', 'local.txt']" ]]
}
t_send_usage() { exits 2 cabinetfs send "$file" && exits 1 cabinetfs send "$work/none" --to bob@example.com; }
t_errors() { exits 1 cabinetfs versions /etc/passwd && exits 1 cabinetfs restore "$file" 99; }

check "versions" t_versions
check "diff" t_diff
check "restore" t_restore
check "history" t_history
check "share, permissions, unshare" t_share
check "lock, unlock" t_lock
check "pin, unpin" t_pin
check "prefetch" t_prefetch
check "send" t_send
check "send checks its arguments" t_send_usage
check "errors are errors" t_errors
check_summary
