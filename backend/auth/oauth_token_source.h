#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "backend/auth/jwt.h"
#include "backend/auth/oauth.h"
#include "backend/auth/token_source.h"
#include "backend/base/clock.h"
#include "backend/base/executor.h"
#include "backend/base/mutex.h"

namespace cabinetfs {

class HttpClient;
class SecretStore;

// The key under which a remote's tokens rest in the SecretStore: one JSON text, so that the pair is
// replaced as a whole. The client secret is under kClientSecretKey.
inline constexpr const char* kTokensKey = "oauth";
inline constexpr const char* kClientSecretKey = "client_secret";

// What is stored. `expires_at` and `obtained_at` are wall times: other processes and later starts
// read them.
struct StoredTokens {
  SecretString access_token;
  SecretString refresh_token;
  WallTime obtained_at{};
  WallTime expires_at{};
};
SecretString encode_tokens(const StoredTokens& tokens);
std::optional<StoredTokens> decode_tokens(const SecretString& text);
// Saves what a login has given, under the same lock as a refresh.
Result<void> save_login(SecretStore& store, const std::string& remote, const std::string& lock_file,
                        const OAuthTokens& tokens, WallTime now, const CallContext& call);

struct OAuthTokenSourceOptions {
  std::string remote;     // its name: key in the store, and in messages
  std::string lock_file;  // shared by all processes that use this remote
  // Its client secret stands for none in the store, which is asked at each refresh.
  OAuthClient client;
  // Set: tokens come from signed assertions, and there is no refresh token.
  struct Jwt {
    JwtClaims claims;
    std::string private_key_file;
  };
  std::optional<Jwt> jwt;
  // Assumed where the server does not say.
  std::chrono::seconds default_lifetime{3600};
  // For one refresh, the lock included. Not bound to a caller's deadline, see below.
  std::chrono::milliseconds refresh_timeout = std::chrono::seconds(30);
  // After a refresh failed while the old token lives.
  std::chrono::milliseconds retry_after_failure = std::chrono::seconds(10);
};

// Tokens of an OAuth account, refreshed when 80 % of their life is over and when the server rejects
// one. There is one refresh at a time for all callers of all processes: a thread of its own takes
// the lock file, looks whether another process has refreshed meanwhile, and saves the new pair
// durably before anybody gets it. A refresh is never abandoned halfway because its caller gave up,
// since a refresh token may be used once: callers stop waiting, the refresh goes on.
//
// `http` and `store` outlive this. Thread safe. The destructor waits for a running refresh.
class OAuthTokenSource final : public TokenSource {
 public:
  OAuthTokenSource(HttpClient& http, SecretStore& store, OAuthTokenSourceOptions options,
                   const Clock& clock = Clock::system());
  ~OAuthTokenSource() override;

  Result<std::string> token(const CallContext& call) override EXCLUDES(mutex_);
  void invalidate(const std::string& rejected_token) override EXCLUDES(mutex_);

 private:
  struct Outcome;
  void begin_refresh_locked() REQUIRES(mutex_);
  void refresh() EXCLUDES(mutex_);
  Result<StoredTokens> fetch(const SecretString& rejected) EXCLUDES(mutex_);
  Result<std::optional<StoredTokens>> load();
  // Under the lock file.
  Result<OAuthTokens> ask_server(const StoredTokens& old, const CallContext& call);
  Result<OAuthTokens> ask_endpoint(const StoredTokens& old, const CallContext& call);
  bool usable(const StoredTokens& tokens, const SecretString& rejected) const;
  Error explain(Error error) const;

  // Dependencies
  HttpClient& http_;
  SecretStore& store_;
  const Clock& clock_;
  // Constants
  const OAuthTokenSourceOptions options_;
  // Mutable state
  Mutex mutex_;
  CondVar changed_;
  std::optional<StoredTokens> current_ GUARDED_BY(mutex_);
  SecretString rejected_ GUARDED_BY(mutex_);
  bool refreshing_ GUARDED_BY(mutex_) = false;
  std::uint64_t finished_ GUARDED_BY(mutex_) = 0;       // refreshes so far
  std::optional<Error> last_error_ GUARDED_BY(mutex_);  // of the last one
  SteadyTime not_before_ GUARDED_BY(mutex_) = SteadyTime::min();
  // The refresh thread's own. A pair that the server has given and the store would not take, and
  // the refresh token that it was given for.
  struct Unsaved {
    StoredTokens tokens;
    SecretString spent;
  };
  std::optional<Unsaved> unsaved_;
  // A refresh token that the server has called dead, and its words: asking again would not help, a
  // login (which puts another one into the store) does.
  SecretString dead_refresh_token_;
  Error dead_error_;
  CancelSource stopping_;
  Executor executor_;  // last: its thread uses all of the above
};

}  // namespace cabinetfs
