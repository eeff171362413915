#include "tests/contract/kenesto_world.h"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "backend/http/curl_client.h"

namespace cabinetfs {

using nlohmann::json;

namespace {

CallContext call() { return CallContext::within(std::chrono::seconds(30)); }

}  // namespace

KenestoWorld::KenestoWorld(const std::string& settings, KenestoConfig config)
    : config_(std::move(config)) {
  sandbox::Options options;
  options.vendor = "kenesto";
  options.settings = settings;
  server_ = sandbox::Sandbox::start(options);
  HttpClientOptions http;
  http.remote = "contract";
  http.backoff_first = http.throttle_first = std::chrono::milliseconds(1);
  apply_kenesto_policy(http);
  engine_ = std::make_unique<CurlHttpClient>(http);
  config_.base_url = server_->url();
  config_.settle = std::chrono::milliseconds(700);
  session_ = login();
  store_ = another_store();
  for (const auto& [name, vault] : {std::pair("Work", false), std::pair("Vault", true)}) {
    as("", {{"op", "mkdir"}, {"path", name}, {"vault", vault}});
    as("", {{"op", "share"},
            {"path", name},
            {"with", "bob@example.com"},
            {"level", "ALLOW_UPDATE_VERSIONS"}});
  }
}

KenestoWorld::~KenestoWorld() = default;

std::unique_ptr<KenestoLoginSession> KenestoWorld::login(std::size_t user) {
  return std::make_unique<KenestoLoginSession>(
      *engine_, KenestoLogin{"contract", server_->url(), ""},
      [this, user](const CallContext&) -> Result<KenestoCredentials> {
        const sandbox::Credentials& known = server_->credentials();
        return KenestoCredentials{SecretString(known.client_secret), known.users.at(user).email,
                                  SecretString(known.users.at(user).password)};
      });
}

std::unique_ptr<RemoteStore> KenestoWorld::another_store() { return another_store(*session_); }

std::unique_ptr<RemoteStore> KenestoWorld::another_store(KenestoSession& session,
                                                         const Clock& clock) {
  auto store = make_kenesto_store(*engine_, session, config_, clock);
  if (!store) throw std::runtime_error(to_string(store.error()));
  return *std::move(store);
}

std::string KenestoWorld::name_of(std::size_t user) {
  const auto session = login(user);
  if (const auto token = session->token(call()); !token) {
    throw std::runtime_error(to_string(token.error()));
  }
  return session->user().name;
}

// The vendor tells people's ids with the versions that they have made.
std::string KenestoWorld::other_id() {
  write_as_other("Work/other id", "x");
  const std::string document =
      as("bob@example.com", {{"op", "put"}, {"path", "Work/other id"}, {"content", "y"}}).at("id");
  HttpRequest request;
  request.label = "versions";
  request.url = server_->url() + "/Kenesto.Web.API/KDocuments.svc/RetrieveFileVersions?t=" +
                percent_encode(*session_->token(call())) + "&fid=" + document;
  const auto answer = engine_->perform(call(), std::move(request));
  remove_as_other("Work/other id");
  json frame = json::parse(answer->body);
  if (frame.is_string()) frame = json::parse(frame.get<std::string>());
  return frame.at("ResponseData").at("FileVersionsList").at(0).at("OwnerId").get<std::string>();
}

json KenestoWorld::admin(const std::string& method, const std::string& path,
                         const std::string& body) const {
  return json::parse(server_->admin(method, path, body));
}

json KenestoWorld::as(const std::string& user, const json& what) {
  json op = what;
  if (!user.empty()) op["user"] = user;
  return admin("POST", "as", op.dump());
}

void KenestoWorld::write_as_other(const std::string& path, const std::string& content) {
  as("bob@example.com", {{"op", "put"}, {"path", path}, {"content", content}});
}

void KenestoWorld::remove_as_other(const std::string& path) {
  as("bob@example.com", {{"op", "delete"}, {"path", path}});
}

void KenestoWorld::rename_as_other(const std::string& path, const std::string& name) {
  as("bob@example.com", {{"op", "rename"}, {"path", path}, {"name", name}});
}

void KenestoWorld::lock_as_other(const std::string& path) {
  as("bob@example.com", {{"op", "lock"}, {"path", path}});
}

std::string KenestoWorld::content_of(const std::string& path) {
  try {
    return server_->admin("GET", "content?path=" + percent_encode(path));
  } catch (const std::runtime_error&) {
    return {};
  }
}

void KenestoWorld::set_quota(std::uint64_t bytes) {
  server_->admin("POST", "quota", json{{"user", "alice@example.com"}, {"bytes", bytes}}.dump());
}

void KenestoWorld::settings(const std::string& text) { server_->admin("POST", "settings", text); }

void KenestoWorld::fault(const std::string& text) { server_->admin("POST", "faults", text); }

std::uint64_t KenestoWorld::requests(const std::string& endpoint) const {
  const json counts = admin("GET", "counts");
  if (endpoint.empty()) return counts.at("total").get<std::uint64_t>();
  return counts.at("endpoints").value(endpoint, std::uint64_t{0});
}

void KenestoWorld::reset_requests() { server_->admin("POST", "counts/reset"); }

}  // namespace cabinetfs
