#include "tests/model/client_connection.h"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "backend/auth/authorized_client.h"
#include "backend/auth/token_source.h"
#include "backend/http/curl_client.h"
#include "backend/kenesto/kenesto.h"
#include "backend/kiteworks/kiteworks.h"
#include "backend/powerfolder/powerfolder.h"
#include "backend/webdav/webdav.h"

namespace cabinetfs {
namespace {

using nlohmann::json;

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(to_string(result.error()));
  return *std::move(result);
}

HttpClientOptions quick(void (*apply)(HttpClientOptions&)) {
  HttpClientOptions http;
  http.remote = "model";
  apply(http);
  http.requests_per_second = 0;
  http.backoff_first = http.throttle_first = std::chrono::milliseconds(1);
  return http;
}

// Tokens of a test server, which gives a new one to whoever asks.
class SandboxTokens final : public TokenSource {
 public:
  SandboxTokens(HttpClient& http, const ServerAddress& address) : http_(http), address_(address) {}

  Result<std::string> token(const CallContext& call) override EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (!token_.empty()) return token_;
    HttpRequest request;
    request.method = "POST";
    request.label = "token";
    request.url = address_.url + "/_admin/token";
    request.headers = {{"Content-Type", "application/json"}};
    request.body = HttpBody::from_string(json{{"user", address_.user}}.dump());
    request.idempotent = true;
    TRY_ASSIGN(const HttpResponse response, http_.perform(call, std::move(request)));
    if (response.status != 200) return fail(ErrorCode::kUnauthenticated, response.body);
    token_ = json::parse(response.body).at("access_token").get<std::string>();
    return token_;
  }
  void invalidate(const std::string& rejected) override EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (token_ == rejected) token_.clear();
  }

 private:
  HttpClient& http_;
  const ServerAddress address_;
  Mutex mutex_;
  std::string token_ GUARDED_BY(mutex_);
};

class KiteworksConnection final : public ClientConnection {
 public:
  explicit KiteworksConnection(const ServerAddress& address)
      : engine_(quick([](HttpClientOptions& http) { apply_kiteworks_policy(http); })),
        tokens_(engine_, address) {
    KiteworksConfig config;
    config.base_url = address.url;
    config.put_max = address.put_max;
    config.second_look = std::chrono::milliseconds(1);
    AuthorizedClientOptions authorization;
    apply_kiteworks_policy(authorization, config);
    authorized_ = std::make_unique<AuthorizedClient>(engine_, tokens_, authorization);
    store_ = must(make_kiteworks_store(*authorized_, config));
  }
  RemoteStore& store() override { return *store_; }

 private:
  CurlHttpClient engine_;
  SandboxTokens tokens_;
  std::unique_ptr<HttpClient> authorized_;
  std::unique_ptr<RemoteStore> store_;
};

class KenestoConnection final : public ClientConnection {
 public:
  explicit KenestoConnection(const ServerAddress& address)
      : engine_(quick(apply_kenesto_policy)),
        session_(engine_, KenestoLogin{"model", address.url, ""},
                 [address](const CallContext&) -> Result<KenestoCredentials> {
                   return KenestoCredentials{SecretString(address.access_key), address.user,
                                             SecretString(address.password)};
                 }) {
    KenestoConfig config;
    config.base_url = address.url;
    config.put_max = address.put_max;
    config.settle = std::chrono::milliseconds(700);
    store_ = must(make_kenesto_store(engine_, session_, config));
  }
  RemoteStore& store() override { return *store_; }

 private:
  CurlHttpClient engine_;
  KenestoLoginSession session_;
  std::unique_ptr<RemoteStore> store_;
};

// What both vendors with WebDAV have.
class BasicConnection : public ClientConnection {
 public:
  RemoteStore& store() override { return *store_; }

 protected:
  BasicConnection(const ServerAddress& address, void (*apply)(HttpClientOptions&))
      : engine_(quick(apply)),
        tokens_(
            must(make_basic_token_source("model", address.user, SecretString(address.password)))) {}

  CurlHttpClient engine_;
  std::unique_ptr<TokenSource> tokens_;
  std::unique_ptr<HttpClient> authorized_;
  std::unique_ptr<RemoteStore> store_;
};

class PowerFolderConnection final : public BasicConnection {
 public:
  explicit PowerFolderConnection(const ServerAddress& address)
      : BasicConnection(address, apply_powerfolder_policy) {
    PowerFolderConfig config;
    config.server_url = address.url;
    config.user = address.user;
    config.put_max = address.put_max;
    config.second_look = std::chrono::milliseconds(1);
    AuthorizedClientOptions authorization;
    apply_powerfolder_policy(authorization, config);
    authorized_ = std::make_unique<AuthorizedClient>(engine_, *tokens_, authorization);
    store_ = must(make_powerfolder_store(*authorized_, config));
  }
};

class WebDavConnection final : public BasicConnection {
 public:
  explicit WebDavConnection(const ServerAddress& address)
      : BasicConnection(address, apply_webdav_policy) {
    WebDavConfig config;
    config.base_url = address.url;
    config.user = address.user;
    config.put_max = address.put_max;
    config.second_look = std::chrono::milliseconds(1);
    AuthorizedClientOptions authorization;
    apply_webdav_policy(authorization, config);
    authorized_ = std::make_unique<AuthorizedClient>(engine_, *tokens_, authorization);
    store_ = must(make_webdav_store(*authorized_, config));
  }
};

std::unique_ptr<ClientConnection> make_connection(const ServerAddress& address) {
  if (address.vendor == "kiteworks") return std::make_unique<KiteworksConnection>(address);
  if (address.vendor == "kenesto") return std::make_unique<KenestoConnection>(address);
  if (address.vendor == "powerfolder") return std::make_unique<PowerFolderConnection>(address);
  if (address.vendor == "webdav") return std::make_unique<WebDavConnection>(address);
  throw std::runtime_error("no client for " + address.vendor);
}

}  // namespace

std::string ServerAddress::to_text() const {
  return json{
      {"vendor", vendor},         {"url", url},        {"user", user}, {"password", password},
      {"access_key", access_key}, {"put_max", put_max}}
      .dump();
}

ServerAddress ServerAddress::parse(const std::string& text) {
  const json in = json::parse(text);
  return {in.at("vendor"),   in.at("url"),        in.at("user"),
          in.at("password"), in.at("access_key"), in.at("put_max")};
}

std::unique_ptr<ClientConnection> connect_client(const ServerAddress& address) {
  std::unique_ptr<ClientConnection> connection = make_connection(address);
  // A server that has just been told to fail may fail this too.
  constexpr int kTries = 20;
  for (int left = kTries;; --left) {
    const auto account = connection->store().account(CallContext::within(std::chrono::seconds(30)));
    if (account) return connection;
    if (left == 0) throw std::runtime_error(to_string(account.error()));
  }
}

}  // namespace cabinetfs
