# What completion scripts offer, in the shells that are installed.
remote_options=()
. "$(dirname "$0")/begin.sh"

# offers WORD...: what bash offers for the last of these words.
offers() {
  bash -c '
    . "$1"
    shift
    COMP_WORDS=(cabinetfs "$@") COMP_CWORD=$#
    _cabinetfs
    printf "%s\n" "${COMPREPLY[@]}"' bash "$work/completion.bash" "$@"
}
has() { local want=$1; shift; offers "$@" >"$work/offers"; grep -qxF -- "$want" "$work/offers" || { echo "not offered: $want; but:"; cat "$work/offers"; return 1; }; }

t_bash() { cabinetfs completion bash >"$work/completion.bash" && bash -n "$work/completion.bash" && bash -c '. "$1" && complete -p cabinetfs' bash "$work/completion.bash"; }
t_commands() {
  local name
  # All that the help tells of.
  for name in $(cabinetfs --help | sed -n '/^Subcommands/,$s/^  \([a-z-]*\) .*/\1/p'); do has "$name" "${name:0:3}" || return 1; done
  has mount '' && has checkin check && ! has mount s
}
t_remotes() { has work mount '' && has work login w && has add remote '' && has work remote show '' && ! has work remote list '' && ! has work remote show work '' && has verify cache v && has work cache clear '' && has next sequence ''; }
t_options() {
  has --cache-size mount work "$mnt" --cache && has --client-id remote add new --cl && has --names remote list --n && has --json remote test work --j && has --force remote remove work -- &&
    ! has --cache-size remote list --
}
t_files() { mkdir "$work/a folder" && touch "$work/a file" && has "$work/a file" versions "$work/a" && has "$work/a folder" umount "$work/a" && ! has "$work/a file" umount "$work/a"; }
t_zsh() { cabinetfs completion zsh >"$work/_cabinetfs" && head -n 1 "$work/_cabinetfs" | grep -qx '#compdef cabinetfs' && grep -q discard-checkout "$work/_cabinetfs" && { ! command -v zsh || zsh -n "$work/_cabinetfs"; }; }
t_fish() { cabinetfs completion fish >"$work/cabinetfs.fish" && grep -q discard-checkout "$work/cabinetfs.fish" && grep -q -- '-l cache-size -r$' "$work/cabinetfs.fish" && grep -q -- '-l read-only$' "$work/cabinetfs.fish" && { ! command -v fish || fish -n "$work/cabinetfs.fish"; }; }
t_unknown() { exits 2 cabinetfs completion tcsh && exits 2 cabinetfs completion; }

check "bash takes the script" t_bash
check "all commands are offered" t_commands
check "remotes and their words" t_remotes
check "options" t_options
check "files and directories, with blanks" t_files
check "zsh" t_zsh
check "fish" t_fish
check "an unknown shell is a usage error" t_unknown
check_summary
