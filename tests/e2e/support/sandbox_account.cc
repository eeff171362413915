// A local Kiteworks server in this process, and the real client in front of it.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "backend/http/curl_client.h"
#include "backend/kiteworks/kiteworks.h"
#include "tests/e2e/support/test_account.h"
#include "tools/sandbox/sandbox.h"

namespace cabinetfs {
namespace {

using nlohmann::json;

constexpr const char* kOther = "bob@example.com";

// Adds a token that never dies to each request, and to no other server.
class FixedTokenClient final : public HttpClient {
 public:
  FixedTokenClient(HttpClient& client, std::string token)
      : client_(client), authorization_("Bearer " + std::move(token)) {}
  Result<HttpResponse> perform(const CallContext& call, HttpRequest request) override {
    request.authorization = authorization_;
    return client_.perform(call, std::move(request));
  }

 private:
  HttpClient& client_;
  const std::string authorization_;
};

class SandboxAccount final : public TestAccount {
 public:
  SandboxAccount() {
    server_ = sandbox::Sandbox::start({});
    HttpClientOptions http;
    http.remote = "e2e";
    // The server of a test has no limit to respect, and waits only make tests slow.
    http.requests_per_second = 0;
    http.backoff_first = http.throttle_first = std::chrono::milliseconds(1);
    HttpClientOptions policy = http;
    apply_kiteworks_policy(policy);
    http.is_throttled = policy.is_throttled;
    engine_ = std::make_unique<CurlHttpClient>(http);
    authorized_ = std::make_unique<FixedTokenClient>(
        *engine_, server_->credentials().users.at(0).access_token);
    as("", {{"op", "mkdir"}, {"path", "Work"}});
    as("", {{"op", "share"}, {"path", "Work"}, {"with", kOther}, {"role", "Manager"}});
  }

  std::unique_ptr<RemoteStore> connect() override {
    KiteworksConfig config;
    config.base_url = server_->url();
    auto store = make_kiteworks_store(*authorized_, config);
    if (!store) {
      std::fprintf(stderr, "connect: %s\n", to_string(store.error()).c_str());
      std::abort();
    }
    return *std::move(store);
  }

  std::optional<std::string> content(const std::string& path) override {
    if (find(path).is_null()) return std::nullopt;
    return server_->admin("GET", "content?path=" + percent_encode(path));
  }
  std::string id_of(const std::string& path) override {
    const json node = find(path);
    return node.is_null() ? "" : text(node.at("id"));
  }
  std::size_t versions(const std::string& path) override {
    const json node = find(path);
    return node.is_null() ? 0 : node.at("versions").size();
  }
  std::vector<std::string> tree(const std::string& path) override {
    std::vector<std::string> out;
    for (const json& node : nodes()) {
      const auto where = node.at("path").get<std::string>();
      if (!where.starts_with(path + "/")) continue;
      out.push_back(where.substr(path.size() + 1) + (is_folder(node) ? "/" : ""));
    }
    std::ranges::sort(out);
    return out;
  }
  std::uint64_t requests(const std::string& kind) override {
    const json counts = json::parse(server_->admin("GET", "counts"));
    if (kind.empty()) return counts.at("total").get<std::uint64_t>();
    std::uint64_t sum = 0;
    for (const auto& [endpoint, count] : counts.at("endpoints").items()) {
      const bool put =
          endpoint.find("actions/file") != std::string::npos || endpoint == "POST /rest/files/{id}";
      const bool upload = endpoint.find("pload") != std::string::npos;
      const bool list = endpoint.find("children") != std::string::npos;
      const bool read = endpoint.find("content") != std::string::npos;
      if ((kind == "put" && put) || (kind == "upload" && upload) || (kind == "list" && list) ||
          (kind == "read" && read)) {
        sum += count.get<std::uint64_t>();
      }
    }
    return sum;
  }
  void reset_requests() override { server_->admin("POST", "counts/reset"); }

  void write(const std::string& path, const std::string& content) override {
    as(kOther, {{"op", "put"}, {"path", path}, {"content", content}});
  }
  void mkdir(const std::string& path) override { as(kOther, {{"op", "mkdir"}, {"path", path}}); }
  void remove(const std::string& path) override { as(kOther, {{"op", "delete"}, {"path", path}}); }
  void rename(const std::string& path, const std::string& name) override {
    as(kOther, {{"op", "rename"}, {"path", path}, {"name", name}});
  }
  // Rights come with folders here.
  bool make_read_only(const std::string& /*path*/) override { return false; }
  void lock(const std::string& path) override { as(kOther, {{"op", "lock"}, {"path", path}}); }

 private:
  static std::string text(const json& value) {
    return value.is_string() ? value.get<std::string>() : value.dump();
  }
  static bool is_folder(const json& node) {
    return node.at("type") != "f" && node.at("type") != "file";
  }

  json nodes() {
    return json::parse(server_->admin("GET", "tree?deleted=false&hash=0")).at("nodes");
  }
  json find(const std::string& path) {
    for (const json& node : nodes()) {
      if (node.at("path") == path) return node;
    }
    return nullptr;
  }
  void as(const std::string& user, json what) {
    if (!user.empty()) what["user"] = user;
    server_->admin("POST", "as", what.dump());
  }

  std::unique_ptr<sandbox::Sandbox> server_;
  std::unique_ptr<HttpClient> engine_;
  std::unique_ptr<HttpClient> authorized_;
};

}  // namespace

bool has_sandbox_account() { return true; }
std::unique_ptr<TestAccount> make_sandbox_account() { return std::make_unique<SandboxAccount>(); }

}  // namespace cabinetfs
