#include "tests/contract/powerfolder_world.h"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "backend/auth/authorized_client.h"
#include "backend/http/curl_client.h"
#include "backend/powerfolder/powerfolder.h"
#include "backend/webdav/webdav.h"

namespace cabinetfs {

using nlohmann::json;

struct PowerFolderWorld::Login {
  std::unique_ptr<TokenSource> tokens;
  std::unique_ptr<HttpClient> client;
};

namespace {

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(to_string(result.error()));
  return *std::move(result);
}

bool has_etags(const std::string& settings) {
  const json parsed = settings.empty() ? json::object() : json::parse(settings);
  return parsed.value("etag", "none") != "none";
}

}  // namespace

PowerFolderConfig PowerFolderWorld::everything() {
  PowerFolderConfig config;
  config.create_top_folders = config.rename_top_folders = true;
  config.remove_top_folders = PowerFolderConfig::RemoveTop::kPurgeData;
  config.locks = true;
  return config;
}

PowerFolderWorld::PowerFolderWorld(const std::string& settings, PowerFolderConfig config)
    : tells_every_write_(has_etags(settings)), config_(std::move(config)) {
  sandbox::Options options;
  options.vendor = "powerfolder";
  options.settings = settings;
  server_ = sandbox::Sandbox::start(options);
  HttpClientOptions http;
  http.remote = "contract";
  // Waits only make tests slow.
  http.backoff_first = http.throttle_first = std::chrono::milliseconds(1);
  apply_powerfolder_policy(http);
  engine_ = std::make_unique<CurlHttpClient>(http);
  as("", {{"op", "mkdir"}, {"path", "Work"}});
  as("", {{"op", "share"}, {"path", "Work"}, {"with", "bob@example.com"}, {"permission", "ADMIN"}});
  store_ = another_store(config_);
}

PowerFolderWorld::~PowerFolderWorld() = default;

std::unique_ptr<RemoteStore> PowerFolderWorld::another_store(PowerFolderConfig config) {
  return store_of(0, std::move(config));
}

std::unique_ptr<RemoteStore> PowerFolderWorld::store_of(std::size_t user,
                                                        PowerFolderConfig config) {
  const sandbox::UserCredentials& who = server_->credentials().users.at(user);
  config.server_url = server_->url();
  config.user = who.email;
  config.put_max = 4096;
  config.second_look = std::chrono::milliseconds(20);
  auto login = std::make_unique<Login>();
  login->tokens =
      config.bearer
          ? make_fixed_token_source("contract", SecretString(who.access_token))
          : must(make_basic_token_source("contract", who.email, SecretString(who.password)));
  AuthorizedClientOptions authorization;
  apply_powerfolder_policy(authorization, config);
  login->client = std::make_unique<AuthorizedClient>(*engine_, *login->tokens, authorization);
  logins_.push_back(std::move(login));
  return must(make_powerfolder_store(*logins_.back()->client, config));
}

std::unique_ptr<RemoteStore> PowerFolderWorld::store_with(TokenSource& tokens) {
  PowerFolderConfig config = everything();
  config.server_url = server_->url();
  config.bearer = true;
  config.second_look = std::chrono::milliseconds(20);
  AuthorizedClientOptions authorization;
  apply_powerfolder_policy(authorization, config);
  auto login = std::make_unique<Login>();
  login->client = std::make_unique<AuthorizedClient>(*engine_, tokens, authorization);
  logins_.push_back(std::move(login));
  return must(make_powerfolder_store(*logins_.back()->client, config));
}

void PowerFolderWorld::as(const std::string& user, const json& what) {
  json call = what;
  if (!user.empty()) call["user"] = user;
  server_->admin("POST", "as", call.dump());
}

void PowerFolderWorld::write_as_other(const std::string& path, const std::string& content) {
  as("bob@example.com", {{"op", "put"}, {"path", path}, {"content", content}});
}

void PowerFolderWorld::remove_as_other(const std::string& path) {
  as("bob@example.com", {{"op", "delete"}, {"path", path}});
}

void PowerFolderWorld::rename_as_other(const std::string& path, const std::string& name) {
  as("bob@example.com", {{"op", "rename"}, {"path", path}, {"name", name}});
}

void PowerFolderWorld::lock_as_other(const std::string& path) {
  as("bob@example.com", {{"op", "lock"}, {"path", path}});
}

std::string PowerFolderWorld::content_of(const std::string& path) {
  try {
    return server_->admin("GET", "content?path=" + percent_encode(path));
  } catch (const std::runtime_error&) {
    return {};
  }
}

void PowerFolderWorld::set_quota(std::uint64_t bytes) {
  server_->admin("POST", "quota", json{{"user", "alice@example.com"}, {"bytes", bytes}}.dump());
}

void PowerFolderWorld::set_scanning(const std::string&, bool) {
  throw std::logic_error("PowerFolder has no virus scan that the client sees");
}

void PowerFolderWorld::settings(const std::string& text) {
  server_->admin("POST", "settings", text);
}

void PowerFolderWorld::fault(const std::string& text) { server_->admin("POST", "faults", text); }

json PowerFolderWorld::admin(const std::string& path) const {
  return json::parse(server_->admin("GET", path));
}

std::uint64_t PowerFolderWorld::requests(const std::string& endpoint) const {
  const json counts = admin("counts");
  std::uint64_t sum = 0;
  for (const auto& [name, count] : counts.at("endpoints").items()) {
    if (name.compare(0, endpoint.size(), endpoint) == 0) sum += count.get<std::uint64_t>();
  }
  return sum;
}

void PowerFolderWorld::reset_requests() { server_->admin("POST", "counts/reset"); }

}  // namespace cabinetfs
