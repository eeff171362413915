#include "tests/e2e/support/served_account.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace cabinetfs {

using nlohmann::json;

namespace {

constexpr const char* kOther = "bob@example.com";

std::string text(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

}  // namespace

ServedAccount::ServedAccount(const std::string& vendor, const std::string& settings) {
  sandbox::Options options;
  options.vendor = vendor;
  options.settings = settings;
  server_ = sandbox::Sandbox::start(options);
}

ServedAccount::~ServedAccount() = default;

std::unique_ptr<HttpClient> ServedAccount::make_engine(void (*apply)(HttpClientOptions&)) const {
  HttpClientOptions http;
  http.remote = "e2e";
  apply(http);
  http.requests_per_second = 0;
  http.backoff_first = http.throttle_first = std::chrono::milliseconds(1);
  return std::make_unique<CurlHttpClient>(http);
}

json ServedAccount::nodes() {
  return json::parse(server_->admin("GET", "tree?deleted=false&hash=0")).at("nodes");
}

json ServedAccount::find(const std::string& path) {
  for (const json& node : nodes()) {
    if (node.at("path") == path) return node;
  }
  return nullptr;
}

json ServedAccount::as(const std::string& user, json what) {
  if (!user.empty()) what["user"] = user;
  return json::parse(server_->admin("POST", "as", what.dump()));
}

std::optional<std::string> ServedAccount::content(const std::string& path) {
  if (find(path).is_null()) return std::nullopt;
  return server_->admin("GET", "content?path=" + percent_encode(path));
}

std::string ServedAccount::id_of(const std::string& path) {
  const json node = find(path);
  return node.is_null() ? "" : text(node.at("id"));
}

std::size_t ServedAccount::versions(const std::string& path) {
  const json node = find(path);
  return node.is_null() ? 0 : node.at("versions").size();
}

std::vector<std::string> ServedAccount::tree(const std::string& path) {
  std::vector<std::string> out;
  for (const json& node : nodes()) {
    const auto where = node.at("path").get<std::string>();
    if (!where.starts_with(path + "/")) continue;
    const bool file = node.at("type") == "f" || node.at("type") == "file";
    out.push_back(where.substr(path.size() + 1) + (file ? "" : "/"));
  }
  std::ranges::sort(out);
  return out;
}

std::uint64_t ServedAccount::uploads() {
  const json counts = json::parse(server_->admin("GET", "counts"));
  std::uint64_t sum = 0;
  for (const auto& [endpoint, count] : counts.at("endpoints").items()) {
    if (is_upload(endpoint)) sum += count.get<std::uint64_t>();
  }
  return sum;
}

void ServedAccount::reset_requests() { server_->admin("POST", "counts/reset"); }

void ServedAccount::write(const std::string& path, const std::string& content) {
  as(kOther, {{"op", "put"}, {"path", path}, {"content", content}});
}
void ServedAccount::mkdir(const std::string& path) {
  as(kOther, {{"op", "mkdir"}, {"path", path}});
}
void ServedAccount::remove(const std::string& path) {
  as(kOther, {{"op", "delete"}, {"path", path}});
}
void ServedAccount::rename(const std::string& path, const std::string& name) {
  as(kOther, {{"op", "rename"}, {"path", path}, {"name", name}});
}
void ServedAccount::lock(const std::string& path) { as(kOther, {{"op", "lock"}, {"path", path}}); }

std::optional<std::string> ServedAccount::access_of_other(const std::string& path) {
  const json node = find(path);
  return node.is_null() ? "(nothing there)" : node.at("members").value(kOther, "");
}

std::optional<bool> ServedAccount::locked_by_us(const std::string& path) {
  const json node = find(path);
  return !node.is_null() && node.at("lock_user") == server_->credentials().users.at(0).email;
}

bool ServedAccount::set_quota(std::uint64_t bytes) {
  const std::string us = server_->credentials().users.at(0).email;
  server_->admin("POST", "quota", json{{"user", us}, {"bytes", bytes}}.dump());
  return true;
}

void ServedAccount::stall(bool on) {
  if (on)
    server_->admin("POST", "faults", R"({"match":{"path":"."},"times":0,"action":"stall"})");
  else
    server_->admin("DELETE", "faults");
}

}  // namespace cabinetfs
