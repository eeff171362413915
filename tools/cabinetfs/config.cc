#include "tools/cabinetfs/config.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <toml++/toml.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "backend/auth/file_lock.h"
#include "backend/base/text.h"
#include "cache/posix_env.h"
#include "tools/cabinetfs/nearest.h"

namespace cabinetfs {
namespace {

Result<std::string> read_text(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    if (errno == ENOENT) return std::string();
    return fail(ErrorCode::kIo, fmt::format("{}: {}", file, std::strerror(errno)));
  }
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// What a value is in TOML does not matter: 30, "30" and "30s" go through the same reader.
std::optional<std::string> text_of(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return fmt::format("{}", number->get());
  if (const auto* number = node.as_floating_point()) return fmt::format("{}", number->get());
  if (const auto* flag = node.as_boolean()) return std::string(flag->get() ? "yes" : "no");
  return std::nullopt;
}

bool looks_secret(const std::string& key) {
  return key.find("secret") != std::string::npos || key.find("password") != std::string::npos ||
         key.find("token") != std::string::npos || key == "access_key";
}

Result<RemoteConfig> read_remote(const std::string& name, const toml::table& table,
                                 const std::string& file) {
  RemoteConfig out;
  out.name = name;
  struct Line {
    std::uint32_t line;
    std::pair<std::string, std::string> value;
  };
  std::vector<Line> lines;
  Options scratch;
  for (const auto& [key_node, node] : table) {
    const std::string key(key_node.str());
    const auto line = node.source().begin.line;
    const std::string where = fmt::format("{}:{}: [remote.{}]", file, line, name);
    if (find_option(key) == nullptr && looks_secret(key))
      return fail(ErrorCode::kInvalid,
                  fmt::format("{} {}: credentials do not stand in this file; remove the line and "
                              "run `cabinetfs login {}`",
                              where, key, name));
    const auto text = text_of(node);
    if (!text)
      return fail(ErrorCode::kInvalid,
                  fmt::format("{} {}: must be a text, a number or true/false", where, key));
    if (auto set = set_option(scratch, key, *text); !set)
      return fail(ErrorCode::kInvalid, fmt::format("{} {}", where, set.error().context));
    lines.push_back({line, {find_option(key)->name, *text}});
  }
  std::stable_sort(lines.begin(), lines.end(),
                   [](const Line& a, const Line& b) { return a.line < b.line; });
  for (Line& line : lines) out.values.push_back(std::move(line.value));
  return out;
}

std::string toml_string(std::string_view text) {
  std::ostringstream out;
  out << toml::value<std::string>(std::string(text));
  return out.str();
}

// Reading, changing and replacing takes milliseconds.
constexpr std::chrono::seconds kLockPatience{10};

Result<FileLock> lock_config(const std::string& file) {
  auto lock = FileLock::acquire(file + ".lock", CallContext::within(kLockPatience));
  if (!lock && lock.error().code == ErrorCode::kTimeout) lock.error().code = ErrorCode::kBusy;
  return lock;
}

Result<void> write_config(const std::string& file, const std::string& text) {
  std::error_code error;
  // A link to the real file elsewhere (dotfiles under version control) stays a link.
  const std::string target = std::filesystem::is_symlink(file, error)
                                 ? std::filesystem::weakly_canonical(file, error).string()
                                 : file;
  struct stat old;
  const bool existed = ::stat(target.c_str(), &old) == 0;
  TRY(make_dirs(parent_dir(target)));
  TRY(atomic_write_file(target, as_bytes(text)));
  if (existed) (void)::chmod(target.c_str(), old.st_mode & 07777);
  return {};
}

}  // namespace

Result<Config> Config::load(const std::string& file) {
  TRY_ASSIGN(const std::string text, read_text(file));
  return parse(text, file);
}

Result<Config> Config::parse(const std::string& text, const std::string& file_name) {
  Config out;
  // Of the name, where that is a link.
  out.directory_ =
      (std::filesystem::path(working_directory()) / file_name).lexically_normal().parent_path();
  toml::table table;
  try {
    table = toml::parse(text, file_name);
  } catch (const toml::parse_error& error) {
    return fail(ErrorCode::kInvalid, fmt::format("{}:{}: {}", file_name, error.source().begin.line,
                                                 error.description()));
  }
  for (const auto& [key, node] : table) {
    if (key.str() != "remote" || !node.is_table())
      return fail(ErrorCode::kInvalid,
                  fmt::format("{}:{}: '{}' means nothing here; options stand in a section "
                              "[remote.NAME]",
                              file_name, node.source().begin.line, key.str()));
    for (const auto& [name_node, remote] : *node.as_table()) {
      const std::string name(name_node.str());
      const auto* section = remote.as_table();
      if (section == nullptr)
        return fail(ErrorCode::kInvalid,
                    fmt::format("{}:{}: '{}' must stand in a section [remote.NAME]", file_name,
                                remote.source().begin.line, name));
      if (!is_remote_name(name))
        return fail(ErrorCode::kInvalid,
                    fmt::format("{}:{}: '{}' is no name for a remote (letters, digits, - _ .)",
                                file_name, remote.source().begin.line, name));
      TRY_ASSIGN(RemoteConfig config, read_remote(name, *section, file_name));
      out.remotes_.push_back(std::move(config));
    }
  }
  return out;
}

Result<const RemoteConfig*> Config::find(const std::string& name) const {
  std::vector<std::string> names;
  for (const RemoteConfig& remote : remotes_) {
    if (remote.name == name) return &remote;
    names.push_back(remote.name);
  }
  if (remotes_.empty())
    return fail(ErrorCode::kInvalid,
                fmt::format("no remote '{}' is configured; add it with `cabinetfs remote add {} "
                            "--vendor kiteworks --url https://... --client-id ...`",
                            name, name));
  return fail(ErrorCode::kInvalid,
              fmt::format("no remote '{}' is configured{} (`cabinetfs remote list` shows all)",
                          name, suggestion(name, names)));
}

Result<Options> Config::options_for(const std::string& name, Options defaults) const {
  TRY_ASSIGN(const RemoteConfig* remote, find(name));
  for (const auto& [key, value] : remote->values)
    TRY(set_option(defaults, key, resolve_value(key, value, directory_)));
  return defaults;
}

bool is_remote_name(const std::string& name) {
  if (name.empty() || name.size() > 64 || name.front() == '.' || name.front() == '-') return false;
  return name.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
             "-_.") == std::string::npos;
}

Result<void> add_remote(const std::string& file, const RemoteConfig& remote) {
  if (!is_remote_name(remote.name))
    return fail(ErrorCode::kInvalid,
                fmt::format("'{}' is no name for a remote (letters, digits, - _ .)", remote.name));
  TRY_ASSIGN(const FileLock lock, lock_config(file));
  TRY_ASSIGN(std::string text, read_text(file));
  TRY_ASSIGN(const Config before, Config::parse(text, file));
  if (before.find(remote.name))
    return fail(ErrorCode::kExists,
                fmt::format("{} has a remote '{}' already; `cabinetfs remote remove {}` first, or "
                            "edit the file",
                            file, remote.name, remote.name));
  if (!text.empty() && !text.ends_with('\n')) text += '\n';
  if (!text.empty()) text += '\n';
  // A dot in the name would open a table in a table.
  const bool bare = remote.name.find('.') == std::string::npos;
  text += fmt::format("[remote.{}]\n", bare ? remote.name : '"' + remote.name + '"');
  for (const auto& [key, value] : remote.values)
    text += fmt::format("{} = {}\n", key, toml_string(value));
  TRY_ASSIGN(const Config after, Config::parse(text, file));
  TRY(after.find(remote.name));
  return write_config(file, text);
}

Result<void> remove_remote(const std::string& file, const std::string& name) {
  TRY_ASSIGN(const FileLock lock, lock_config(file));
  TRY_ASSIGN(const std::string text, read_text(file));
  TRY_ASSIGN(const Config before, Config::parse(text, file));
  TRY(before.find(name));
  std::istringstream lines(text);
  std::string line, out;
  bool inside = false;
  while (std::getline(lines, line)) {
    const auto start = line.find_first_not_of(" \t");
    if (start != std::string::npos && line[start] == '[') {
      std::string header = line.substr(start, line.find(']') - start + 1);
      std::erase_if(header, [](char c) { return c == ' ' || c == '\t' || c == '"' || c == '\''; });
      inside = header == "[remote." + name + "]";
    }
    if (!inside) out += line + '\n';
  }
  TRY_ASSIGN(const Config after, Config::parse(out, file));
  if (after.find(name) || after.remotes().size() + 1 != before.remotes().size())
    return fail(ErrorCode::kInvalid,
                fmt::format("{}: the section of '{}' is written in a way that this command does "
                            "not know; please edit the file",
                            file, name));
  return write_config(file, out);
}

}  // namespace cabinetfs
