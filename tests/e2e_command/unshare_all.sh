# PowerFolder: sharing of top folders, and taking all access away after a confirmation.
remote_options=(--create-top-folders)
. "$(dirname "$0")/begin.sh"
login_as work 0 >/dev/null && cabinetfs mount work "$mnt" || exit 1
mkdir "$mnt/Plans" "$mnt/Drafts" && cabinetfs flush "$mnt" --timeout 60s || exit 1

who() { cabinetfs permissions "$1" --json | json_of 'sorted(p["who"] + " " + p["level"] for p in data)'; }
members() { admin GET tree | json_of "[sorted(f['members']) for f in data['folders'] if f['name'] == '$1'][0]"; }

t_share() {
  cabinetfs share "$mnt/Plans" bob@example.com write --also "$mnt/Drafts" && who "$mnt/Plans" | grep -q 'bob@example.com write' && who "$mnt/Drafts" | grep -q 'bob@example.com write'
}
t_no_terminal() { setsid cabinetfs unshare "$mnt/Plans" --all </dev/null 2>"$work/err"; [[ $? -eq 2 ]] && cat "$work/err" && grep -q -- '-y' "$work/err" && members Plans | grep -q bob; }
# A terminal that answers.
answer() { script -qec "cabinetfs unshare '$mnt/Plans' --all" /dev/null <<<"$1" >"$work/out"; }
t_no() { ! answer no && cat "$work/out" && grep -q 'nothing was changed' "$work/out" && members Plans | grep -q bob; }
t_yes() { answer yes && cat "$work/out" && grep -q 'Everybody loses access' "$work/out" && [[ $(members Plans) == '[]' ]]; }
t_gone() { eventually 20 test ! -e "$mnt/Plans"; }
t_flag() { cabinetfs unshare -y "$mnt/Drafts" --all && [[ $(members Drafts) == '[]' ]]; }
t_usage() { exits 2 cabinetfs unshare "$mnt/Projects" && exits 2 cabinetfs unshare "$mnt/Projects" bob@example.com --all; }
t_not_below() { exits 1 cabinetfs unshare -y "$mnt/Projects/sub" --all && exits 1 cabinetfs share "$mnt/Projects/sub" bob@example.com read 2>"$work/err" && cat "$work/err"; }

check "share --also" t_share
check "unshare --all asks, and needs a terminal or -y" t_no_terminal
check "anything but yes changes nothing" t_no
check "yes takes all access away" t_yes
check "what nobody may see is gone here" t_gone
check "-y does not ask" t_flag
check "unshare checks its arguments" t_usage
check "only top folders are shared" t_not_below
check_summary
