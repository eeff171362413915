#include "tools/cabinetfs/options.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>

#include "tools/cabinetfs/nearest.h"
#include "tools/cabinetfs/units.h"

namespace cabinetfs {
namespace {

std::string with_underscores(std::string_view name) {
  std::string out(name);
  std::replace(out.begin(), out.end(), '-', '_');
  return out;
}

// Words of fstab and mount(8) that mean something to them, not to us.
bool is_generic_mount_word(std::string_view word) {
  static constexpr std::array<std::string_view, 30> kWords = {
      "defaults",   "auto",     "noauto",        "nouser",     "users",       "owner",
      "group",      "_netdev",  "nofail",        "rw",         "suid",        "nosuid",
      "dev",        "nodev",    "exec",          "noexec",     "async",       "atime",
      "noatime",    "relatime", "norelatime",    "nodiratime", "strictatime", "lazytime",
      "nolazytime", "diratime", "nostrictatime", "iversion",   "noiversion",  "user"};
  return std::find(kWords.begin(), kWords.end(), word) != kWords.end() || word.starts_with("x-") ||
         word.starts_with("X-") || word.starts_with("comment=");
}

std::string home_directory() {
  if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/') return home;
  const struct passwd* user = ::getpwuid(::geteuid());
  return user != nullptr && user->pw_dir != nullptr ? user->pw_dir : "/";
}

// Of those words, what the kernel is told at the mount. nosuid and nodev always hold; for
// nodiratime there is nothing to do, since reading a directory changes no time here (libfuse 3.14
// does not take the word).
void note_kernel_word(MountChoices& mount, std::string_view word) {
  if (word == "noexec" || word == "exec") {
    mount.noexec = word == "noexec";
  } else if (word == "noatime" || word == "atime" || word == "relatime" || word == "strictatime") {
    mount.noatime = word == "noatime";
  }
}

std::vector<std::string> split_words(std::string_view list) {
  std::vector<std::string> words(1);
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (list[i] == '\\' && i + 1 < list.size() && (list[i + 1] == ',' || list[i + 1] == '\\'))
      words.back() += list[++i];
    else if (list[i] == ',')
      words.emplace_back();
    else
      words.back() += list[i];
  }
  return words;
}

std::string quote_toml(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

}  // namespace

const OptionInfo* find_option(std::string_view name) {
  const std::string wanted = with_underscores(name);
  for (const OptionInfo& option : option_table())
    if (wanted == option.name) return &option;
  return nullptr;
}

std::vector<std::string> option_names() {
  std::vector<std::string> out;
  for (const OptionInfo& option : option_table()) out.emplace_back(option.name);
  return out;
}

Result<void> set_option(Options& options, std::string_view name, std::string_view value) {
  const OptionInfo* option = find_option(name);
  if (option == nullptr)
    return fail(ErrorCode::kInvalid,
                fmt::format("unknown option '{}'{}", name,
                            suggestion(with_underscores(name), option_names())));
  if (const auto wrong = option->set(options, value))
    return fail(ErrorCode::kInvalid, fmt::format("option {}: '{}' is not {}", option->name, value,
                                                 wrong->empty() ? option->kind : *wrong));
  return {};
}

std::string resolve_value(std::string_view name, std::string_view value,
                          const std::string& directory) {
  const OptionInfo* option = find_option(name);
  std::string out(value);
  if (option == nullptr || std::string_view(option->kind) != "file" || out.empty()) return out;
  if (out.starts_with("~/")) return home_directory() + out.substr(1);
  if (out.starts_with('/')) return out;
  return (std::filesystem::path(directory) / out).lexically_normal().string();
}

std::string working_directory() {
  std::error_code error;
  const std::filesystem::path here = std::filesystem::current_path(error);
  return error ? "/" : here.string();
}

std::string without_fstab_user(std::string_view list) {
  std::string out;
  for (const std::string& word : split_words(list)) {
    if (word == "user" || (word.starts_with("user=") && word.find('@') == std::string::npos))
      continue;
    if (!out.empty()) out += ',';
    for (const char c : word) {
      if (c == ',' || c == '\\') out += '\\';
      out += c;
    }
  }
  return out;
}

Result<std::vector<std::pair<std::string, std::string>>> split_mount_options(
    std::string_view list) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const std::string& word : split_words(list)) {
    if (word.empty()) continue;
    const auto equals = word.find('=');
    const std::string name = with_underscores(word.substr(0, equals));
    if (word == "rw" && std::any_of(out.begin(), out.end(), [](const auto& earlier) {
          return earlier.first == "read_only";
        }))
      out.emplace_back("read_only", "no");
    if (is_generic_mount_word(word)) continue;
    if (equals != std::string::npos) {
      out.emplace_back(name, word.substr(equals + 1));
    } else if (name == "ro") {
      out.emplace_back("read_only", "yes");
    } else if (find_option(name) != nullptr) {
      if (std::string_view(find_option(name)->kind) != "yes or no")
        return fail(ErrorCode::kInvalid, fmt::format("option {} needs a value: {}={}", name, name,
                                                     find_option(name)->kind));
      out.emplace_back(name, "yes");
    } else if (name.starts_with("no_") && find_option(name.substr(3)) != nullptr &&
               std::string_view(find_option(name.substr(3))->kind) == "yes or no") {
      out.emplace_back(name.substr(3), "no");
    } else {
      out.emplace_back(name, "");
    }
  }
  return out;
}

Result<void> set_mount_options(Options& options, std::string_view list) {
  TRY_ASSIGN(const auto pairs, split_mount_options(list));
  const std::string here = working_directory();
  for (const auto& [name, value] : pairs)
    TRY(set_option(options, name, resolve_value(name, value, here)));
  for (const std::string& word : split_words(list)) note_kernel_word(options.mount, word);
  return {};
}

std::string show_option(const OptionInfo& option, const Options& options) {
  std::string value = option.get(options);
  if (std::string_view(option.kind) != "address") return value;
  // Whatever a password is made of, the host comes after the last '@'.
  const std::size_t user_end = value.rfind('@');
  if (user_end == std::string::npos) return value;
  const std::size_t scheme = value.find("://");
  const std::size_t user = scheme == std::string::npos || scheme > user_end ? 0 : scheme + 3;
  return value.replace(user, user_end - user, "***");
}

std::string describe_options(const Options& options) {
  const Options defaults;
  std::string out;
  for (const OptionInfo& option : option_table()) {
    if (option.get(options) != option.get(defaults))
      out += fmt::format("{} = {}\n", option.name, quote_toml(show_option(option, options)));
  }
  return out;
}

}  // namespace cabinetfs
