// Completion scripts: commands from the parser, remotes from `cabinetfs remote list --names`.

#include <fmt/format.h>

#include "backend/base/text.h"
#include "tools/cabinetfs/commands.h"
#include "tools/cabinetfs/options.h"
#include "tools/cabinetfs/output.h"

namespace cabinetfs {
namespace {

// clang-format takes scripts for code.
// clang-format off
constexpr const char* kBash = R"sh(# cabinetfs completion for bash: source it, or put it in
# ~/.local/share/bash-completion/completions/cabinetfs
_cabinetfs() {
  local cur=${COMP_WORDS[COMP_CWORD]} cmd=${COMP_WORDS[1]}
  local IFS=$' \t\n'
  COMPREPLY=()
  if [[ $COMP_CWORD -eq 1 ]]; then
    COMPREPLY=($(compgen -W "@COMMANDS@" -- "$cur"))
    return
  fi
  if [[ $cur == --* ]]; then
    case "$cmd ${COMP_WORDS[2]}" in
      mount\ * | 'remote add') COMPREPLY=($(compgen -W "@OPTIONS@" -- "$cur")) ;;
      'remote list') COMPREPLY=($(compgen -W "--json --names" -- "$cur")) ;;
      'remote show' | 'remote test') COMPREPLY=($(compgen -W "--json" -- "$cur")) ;;
      'remote remove') COMPREPLY=($(compgen -W "--force" -- "$cur")) ;;
    esac
    return
  fi
  case $cmd in
    remote)
      if [[ $COMP_CWORD -eq 2 ]]; then
        COMPREPLY=($(compgen -W "add list show remove test" -- "$cur"))
      elif [[ $COMP_CWORD -eq 3 && ${COMP_WORDS[2]} =~ ^(show|remove|test)$ ]]; then
        COMPREPLY=($(compgen -W "$(cabinetfs remote list --names 2>/dev/null)" -- "$cur"))
      fi ;;
    cache)
      if [[ $COMP_CWORD -eq 2 ]]; then
        COMPREPLY=($(compgen -W "stats verify gc clear" -- "$cur"))
      else
        COMPREPLY=($(compgen -W "$(cabinetfs remote list --names 2>/dev/null)" -- "$cur"))
      fi ;;
    sequence)
      [[ $COMP_CWORD -eq 2 ]] &&
        COMPREPLY=($(compgen -W "list create next current release remove" -- "$cur")) ;;
    login|logout|doctor)
      COMPREPLY=($(compgen -W "$(cabinetfs remote list --names 2>/dev/null)" -- "$cur")) ;;
    completion) COMPREPLY=($(compgen -W "bash zsh fish" -- "$cur")) ;;
    *)
      if [[ $cmd == mount && $COMP_CWORD -eq 2 ]]; then
        COMPREPLY=($(compgen -W "$(cabinetfs remote list --names 2>/dev/null)" -- "$cur"))
        return
      fi
      # A name a line: names hold blanks.
      local IFS=$'\n' kind=-f
      [[ $cmd == mount || $cmd == umount || $cmd == status ]] && kind=-d
      compopt -o filenames 2>/dev/null
      COMPREPLY=($(compgen $kind -- "$cur")) ;;
  esac
}
complete -F _cabinetfs cabinetfs
)sh";

constexpr const char* kZsh = R"sh(#compdef cabinetfs
# cabinetfs completion for zsh: put it in a directory of $fpath as _cabinetfs
_cabinetfs() {
  local -a commands options remotes
  commands=(@COMMANDS@)
  options=(@OPTIONS@)
  if (( CURRENT == 2 )); then
    compadd -a commands
    return
  fi
  remotes=(${(f)"$(cabinetfs remote list --names 2>/dev/null)"})
  if [[ $words[CURRENT] == --* ]]; then
    case "$words[2] $words[3]" in
      mount\ * | 'remote add') compadd -a options ;;
      'remote list') compadd -- --json --names ;;
      'remote show' | 'remote test') compadd -- --json ;;
      'remote remove') compadd -- --force ;;
    esac
    return
  fi
  case $words[2] in
    remote)
      if (( CURRENT == 3 )); then
        compadd add list show remove test
      elif (( CURRENT == 4 )) && [[ $words[3] == (show|remove|test) ]]; then
        compadd -a remotes
      fi ;;
    cache)
      if (( CURRENT == 3 )); then
        compadd stats verify gc clear
      else
        compadd -a remotes
      fi ;;
    sequence)
      if (( CURRENT == 3 )); then
        compadd list create next current release remove
      fi ;;
    login|logout|doctor) compadd -a remotes ;;
    mount)
      if (( CURRENT == 3 )); then
        compadd -a remotes
      else
        _directories
      fi ;;
    umount|status) _directories ;;
    completion) compadd bash zsh fish ;;
    *) _files ;;
  esac
}
_cabinetfs "$@"
)sh";

constexpr const char* kFish = R"sh(# cabinetfs completion for fish: put it in
# ~/.config/fish/completions/cabinetfs.fish
function __cabinetfs_remotes; cabinetfs remote list --names 2>/dev/null; end
complete -c cabinetfs -n __fish_use_subcommand -f -a "@COMMANDS@"
complete -c cabinetfs -n "__fish_seen_subcommand_from login logout doctor mount" -f -a "(__cabinetfs_remotes)"
complete -c cabinetfs -n "__fish_seen_subcommand_from mount umount status" -a "(__fish_complete_directories)"
complete -c cabinetfs -n "__fish_seen_subcommand_from remote; and not __fish_seen_subcommand_from add list show remove test" -f -a "add list show remove test"
complete -c cabinetfs -n "__fish_seen_subcommand_from remote; and __fish_seen_subcommand_from show remove test" -f -a "(__cabinetfs_remotes)"
complete -c cabinetfs -n "__fish_seen_subcommand_from remote; and __fish_seen_subcommand_from list show test" -l json
complete -c cabinetfs -n "__fish_seen_subcommand_from remote; and __fish_seen_subcommand_from list" -f -l names
complete -c cabinetfs -n "__fish_seen_subcommand_from remote; and __fish_seen_subcommand_from remove" -l force
complete -c cabinetfs -n "__fish_seen_subcommand_from cache; and not __fish_seen_subcommand_from stats verify gc clear" -f -a "stats verify gc clear"
complete -c cabinetfs -n "__fish_seen_subcommand_from sequence; and not __fish_seen_subcommand_from list create next current release remove" -f -a "list create next current release remove"
complete -c cabinetfs -n "__fish_seen_subcommand_from completion" -f -a "bash zsh fish"
@FISH_OPTIONS@)sh";
// clang-format on

std::string dashed(std::string name) {
  for (char& c : name)
    if (c == '_') c = '-';
  return name;
}

}  // namespace

ExitCode run_completion(const std::string& shell, const std::vector<std::string>& commands) {
  std::string script;
  if (shell == "bash")
    script = kBash;
  else if (shell == "zsh")
    script = kZsh;
  else if (shell == "fish")
    script = kFish;
  else
    return usage_error("completion: '" + shell + "' is not one of: bash, zsh, fish");
  std::string names, options, fish;
  for (const std::string& name : commands) names += (names.empty() ? "" : " ") + name;
  for (const OptionInfo& option : option_table()) {
    const std::string name = dashed(option.name);
    options += (options.empty() ? "--" : " --") + name;
    fish +=
        fmt::format("complete -c cabinetfs -n \"__fish_seen_subcommand_from mount add\" -l {}{}\n",
                    name, std::string_view(option.kind) == "yes or no" ? "" : " -r");
  }
  script = replace_all(std::move(script), "@COMMANDS@", names);
  script = replace_all(std::move(script), "@OPTIONS@", options);
  script = replace_all(std::move(script), "@FISH_OPTIONS@", fish);
  fmt::print("{}", script);
  return ExitCode::kOk;
}

}  // namespace cabinetfs
