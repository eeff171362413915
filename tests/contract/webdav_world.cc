#include "tests/contract/webdav_world.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "backend/auth/authorized_client.h"
#include "backend/http/curl_client.h"
#include "backend/webdav/webdav.h"

namespace cabinetfs {

namespace fs = std::filesystem;

WebDavWorld::WebDavWorld(DavServer::Kind kind, DavServerOptions options, WebDavConfig config)
    : tells_every_write_(options.etags == DavServerOptions::Etags::kInode),
      server_(kind, options),
      config_(std::move(config)) {
  HttpClientOptions http;
  http.remote = "contract";
  // Waits only make tests slow.
  http.backoff_first = http.throttle_first = std::chrono::milliseconds(1);
  apply_webdav_policy(http);
  engine_ = std::make_unique<CurlHttpClient>(http);
  config_.base_url = server_.url();
  config_.user = options.user;
  config_.put_max = 4096;
  config_.second_look = std::chrono::milliseconds(1);
  if (!options.user.empty()) {
    auto tokens = make_basic_token_source("contract", options.user, SecretString(options.password));
    if (!tokens) throw std::runtime_error(to_string(tokens.error()));
    tokens_ = *std::move(tokens);
    AuthorizedClientOptions authorization;
    apply_webdav_policy(authorization, config_);
    authorized_ = std::make_unique<AuthorizedClient>(*engine_, *tokens_, authorization);
  }
  fs::create_directory(server_.directory() / "Work");
  store_ = another_store();
}

WebDavWorld::~WebDavWorld() = default;

std::unique_ptr<RemoteStore> WebDavWorld::another_store() {
  auto store = make_webdav_store(authorized_ ? *authorized_ : *engine_, config_);
  if (!store) throw std::runtime_error(to_string(store.error()));
  return *std::move(store);
}

void WebDavWorld::write_as_other(const std::string& path, const std::string& content) {
  const fs::path target = server_.directory() / path;
  // Replaced as a whole, as another WebDAV client would.
  const fs::path next = target.string() + ".next";
  std::ofstream(next, std::ios::binary) << content;
  fs::rename(next, target);
}

void WebDavWorld::remove_as_other(const std::string& path) {
  fs::remove_all(server_.directory() / path);
}

void WebDavWorld::rename_as_other(const std::string& path, const std::string& name) {
  const fs::path from = server_.directory() / path;
  fs::rename(from, from.parent_path() / name);
}

void WebDavWorld::lock_as_other(const std::string& path) {
  HttpRequest request;
  request.method = "LOCK";
  request.url = server_.url();
  for (const std::string& name : split(path, '/')) request.url += "/" + percent_encode(name);
  request.headers = {{"Content-Type", "application/xml"}, {"Timeout", "Second-600"}};
  request.body = HttpBody::from_string(
      "<D:lockinfo xmlns:D='DAV:'><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/>"
      "</D:locktype><D:owner>bob@example.com</D:owner></D:lockinfo>");
  const auto response = (authorized_ ? *authorized_ : *engine_)
                            .perform(CallContext::within(std::chrono::seconds(30)), request);
  if (!response || response->status != 200) throw std::runtime_error("cannot lock " + path);
}

std::string WebDavWorld::content_of(const std::string& path) {
  std::ifstream file(server_.directory() / path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

void WebDavWorld::set_quota(std::uint64_t) {
  throw std::logic_error("a plain WebDAV server has no quota");
}

void WebDavWorld::set_scanning(const std::string&, bool) {
  throw std::logic_error("a plain WebDAV server has no virus scan");
}

}  // namespace cabinetfs
