#include "tools/cabinetfs/store_info.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "backend/base/text.h"
#include "cache/posix_env.h"

namespace cabinetfs {

using nlohmann::json;

namespace {
std::string info_file(const StorePaths& store) { return store.state + "/store.json"; }
}  // namespace

Result<std::optional<StoreInfo>> read_store_info(const StorePaths& store) {
  const auto text = read_file(info_file(store), 64u << 10);
  if (!text) {
    if (text.error().code == ErrorCode::kNotFound) return std::optional<StoreInfo>();
    return fail(text.error());
  }
  const json data = json::parse(*text, nullptr, false);
  if (!data.is_object())
    return fail(ErrorCode::kCorrupt, fmt::format("{}: not readable", info_file(store)));
  const auto text_of = [&data](const char* name) {
    const auto found = data.find(name);
    return found != data.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  StoreInfo out;
  out.remote = text_of("remote");
  out.root = text_of("root");
  out.instance = text_of("instance");
  out.url = text_of("url");
  out.account = text_of("account");
  out.email = text_of("email");
  const auto encrypted = data.find("encrypted");
  out.encrypted = encrypted == data.end() || !encrypted->is_boolean() || encrypted->get<bool>();
  return std::optional<StoreInfo>(std::move(out));
}

Result<void> write_store_info(const StorePaths& store, const StoreInfo& info) {
  const json data = {{"remote", info.remote},      {"root", info.root},
                     {"instance", info.instance},  {"url", info.url},
                     {"account", info.account},    {"email", info.email},
                     {"encrypted", info.encrypted}};
  TRY(make_dirs(store.state));
  const std::string text = data.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
  return atomic_write_file(info_file(store), as_bytes(text));
}

std::vector<StorePaths> all_stores(const Paths& paths) {
  std::vector<StorePaths> out;
  const auto entries = list_dir(paths.state_dir + "/stores");
  if (!entries) return out;
  for (const auto& entry : *entries) {
    if (!entry.directory) continue;
    StorePaths store;
    store.name = entry.name;
    store.state = paths.state_dir + "/stores/" + entry.name;
    store.cache = paths.cache_dir + "/stores/" + entry.name;
    out.push_back(std::move(store));
  }
  std::sort(out.begin(), out.end(),
            [](const StorePaths& a, const StorePaths& b) { return a.name < b.name; });
  return out;
}

}  // namespace cabinetfs
