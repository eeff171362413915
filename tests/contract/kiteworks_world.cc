#include "tests/contract/kiteworks_world.h"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "backend/auth/authorized_client.h"
#include "backend/http/curl_client.h"
#include "backend/kiteworks/kiteworks.h"

namespace cabinetfs {

using nlohmann::json;

KiteworksWorld::KiteworksWorld(const std::string& settings, KiteworksConfig config,
                               std::chrono::milliseconds throttle)
    : config_(std::move(config)) {
  sandbox::Options options;
  options.settings = settings;
  server_ = sandbox::Sandbox::start(options);
  HttpClientOptions http;
  http.remote = "contract";
  // Waits only make tests slow.
  http.requests_per_second = 0;
  http.backoff_first = std::chrono::milliseconds(1);
  http.throttle_first = throttle;
  HttpClientOptions policy = http;
  apply_kiteworks_policy(policy);
  http.is_throttled = policy.is_throttled;
  engine_ = std::make_unique<CurlHttpClient>(http);
  config_.base_url = server_->url();
  tokens_ = make_fixed_token_source("contract",
                                    SecretString(server_->credentials().users.at(0).access_token));
  AuthorizedClientOptions authorization;
  apply_kiteworks_policy(authorization, config_);
  authorized_ = std::make_unique<AuthorizedClient>(*engine_, *tokens_, authorization);
  store_ = another_store();
  as("", {{"op", "mkdir"}, {"path", "Work"}});
  as("", {{"op", "share"}, {"path", "Work"}, {"with", "bob@example.com"}, {"role", "Manager"}});
}

KiteworksWorld::~KiteworksWorld() = default;

std::unique_ptr<RemoteStore> KiteworksWorld::another_store() {
  auto store = make_kiteworks_store(*authorized_, config_);
  if (!store) throw std::runtime_error(to_string(store.error()));
  return *std::move(store);
}

json KiteworksWorld::as(const std::string& user, const json& what) {
  json call = what;
  if (!user.empty()) call["user"] = user;
  return json::parse(server_->admin("POST", "as", call.dump()));
}

void KiteworksWorld::write_as_other(const std::string& path, const std::string& content) {
  as("bob@example.com", {{"op", "put"}, {"path", path}, {"content", content}});
}

void KiteworksWorld::remove_as_other(const std::string& path) {
  as("bob@example.com", {{"op", "delete"}, {"path", path}});
}

void KiteworksWorld::rename_as_other(const std::string& path, const std::string& name) {
  as("bob@example.com", {{"op", "rename"}, {"path", path}, {"name", name}});
}

void KiteworksWorld::lock_as_other(const std::string& path) {
  as("bob@example.com", {{"op", "lock"}, {"path", path}});
}

std::string KiteworksWorld::content_of(const std::string& path) {
  try {
    return server_->admin("GET", "content?path=" + percent_encode(path));
  } catch (const std::runtime_error&) {
    return {};
  }
}

void KiteworksWorld::set_quota(std::uint64_t bytes) {
  server_->admin("POST", "quota", json{{"user", "alice@example.com"}, {"bytes", bytes}}.dump());
}

void KiteworksWorld::set_scanning(const std::string& path, bool scanning) {
  server_->admin("POST", "file",
                 json{{"path", path}, {"av", scanning ? "scanning" : "allowed"}}.dump());
}

std::vector<std::string> KiteworksWorld::mail_subjects() {
  std::vector<std::string> subjects;
  const json mails = json::parse(server_->admin("GET", "mails"));
  for (const json& mail : mails.is_array() ? mails : mails.at("mails")) {
    subjects.push_back(mail.at("subject").get<std::string>());
  }
  return subjects;
}

ContractWorld::Attachments KiteworksWorld::mail_attachments(const std::string& subject) {
  Attachments all;
  const json mails = json::parse(server_->admin("GET", "mails"));
  for (const json& mail : mails.at("mails")) {
    if (mail.at("subject") != subject) continue;
    for (const json& file : mail.at("files"))
      all[file.at("name").get<std::string>()] =
          server_->admin("GET", "content?id=" + file.at("id").get<std::string>());
  }
  return all;
}

void KiteworksWorld::settings(const std::string& text) { server_->admin("POST", "settings", text); }

void KiteworksWorld::fault(const std::string& text) { server_->admin("POST", "faults", text); }

std::uint64_t KiteworksWorld::requests(const std::string& endpoint) const {
  const json counts = json::parse(server_->admin("GET", "counts"));
  if (endpoint.empty()) return counts.at("total").get<std::uint64_t>();
  return counts.at("endpoints").value(endpoint, std::uint64_t{0});
}

std::uint64_t KiteworksWorld::answers(int status) const {
  const json counts = json::parse(server_->admin("GET", "counts"));
  return counts.at("statuses").value(std::to_string(status), std::uint64_t{0});
}

void KiteworksWorld::reset_requests() { server_->admin("POST", "counts/reset"); }

}  // namespace cabinetfs
