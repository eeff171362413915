#include "backend/auth/oauth_token_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "backend/auth/file_lock.h"
#include "backend/auth/secret_store.h"
#include "backend/base/log.h"

namespace cabinetfs {
namespace {

// A token is renewed when this much of its life is over.
constexpr double kRenewAfter = 0.8;
// Less than this is no life: the request would arrive too late.
constexpr std::chrono::seconds kTooLate{2};

std::int64_t to_seconds(WallTime time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}
WallTime from_seconds(std::int64_t seconds) { return WallTime(std::chrono::seconds(seconds)); }

StoredTokens to_stored(const OAuthTokens& tokens, WallTime now, std::chrono::seconds default_life,
                       const SecretString& old_refresh) {
  StoredTokens out;
  out.access_token = tokens.access_token;
  out.refresh_token = tokens.refresh_token.empty() ? old_refresh : tokens.refresh_token;
  out.obtained_at = now;
  out.expires_at = now + tokens.expires_in.value_or(default_life);
  return out;
}

}  // namespace

SecretString encode_tokens(const StoredTokens& tokens) {
  nlohmann::json json = {{"access_token", tokens.access_token.reveal()},
                         {"refresh_token", tokens.refresh_token.reveal()},
                         {"obtained_at", to_seconds(tokens.obtained_at)},
                         {"expires_at", to_seconds(tokens.expires_at)}};
  return SecretString(json.dump());
}

std::optional<StoredTokens> decode_tokens(const SecretString& text) {
  const nlohmann::json json = nlohmann::json::parse(text.reveal(), nullptr, false);
  if (!json.is_object()) return std::nullopt;
  const auto string_of = [&json](const char* key) {
    const auto found = json.find(key);
    return SecretString(found != json.end() && found->is_string() ? found->get<std::string>()
                                                                  : std::string());
  };
  const auto number_of = [&json](const char* key) -> std::int64_t {
    const auto found = json.find(key);
    return found != json.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
  };
  StoredTokens out;
  out.access_token = string_of("access_token");
  out.refresh_token = string_of("refresh_token");
  // Nanoseconds in 64 bits: what lies beyond is a damaged file.
  constexpr std::int64_t kLargest = 9'000'000'000;
  const std::int64_t obtained = number_of("obtained_at");
  const std::int64_t expires = number_of("expires_at");
  if (obtained < 0 || obtained > kLargest || expires < 0 || expires > kLargest) return std::nullopt;
  out.obtained_at = from_seconds(obtained);
  out.expires_at = from_seconds(expires);
  if (out.access_token.empty() && out.refresh_token.empty()) return std::nullopt;
  return out;
}

Result<void> save_login(SecretStore& store, const std::string& remote, const std::string& lock_file,
                        const OAuthTokens& tokens, WallTime now, const CallContext& call) {
  const auto lock = FileLock::acquire(lock_file, call);
  if (!lock) {
    // Another process of this machine; kTimeout would be the server.
    const bool late = lock.error().code == ErrorCode::kTimeout;
    return fail(late ? ErrorCode::kBusy : lock.error().code, lock.error().context);
  }
  constexpr std::chrono::seconds kAssumedLife{3600};
  return store.set(remote, kTokensKey,
                   encode_tokens(to_stored(tokens, now, kAssumedLife, SecretString())));
}

OAuthTokenSource::OAuthTokenSource(HttpClient& http, SecretStore& store,
                                   OAuthTokenSourceOptions options, const Clock& clock)
    : http_(http),
      store_(store),
      clock_(clock),
      options_(std::move(options)),
      executor_("token-refresh", 1) {}

OAuthTokenSource::~OAuthTokenSource() {
  // Only the wait for the lock file is given up: a refresh that has been sent is brought home.
  stopping_.cancel();
  executor_.shutdown();
}

bool OAuthTokenSource::usable(const StoredTokens& tokens, const SecretString& rejected) const {
  return !tokens.access_token.empty() && !(tokens.access_token == rejected) &&
         clock_.wall() + kTooLate < tokens.expires_at;
}

Error OAuthTokenSource::explain(Error error) const {
  if (error.code != ErrorCode::kUnauthenticated) return error;
  error.context += fmt::format(
      fmt::runtime(
          options_.jwt
              ? "; compare jwt_key_file, jwt_subject, jwt_issuer and jwt_audience with what "
                "is registered at the server (`cabinetfs login {}` does not help here)"
              : "; run `cabinetfs login {}`"),
      options_.remote);
  return error;
}

Result<std::string> OAuthTokenSource::token(const CallContext& call) {
  const CancelToken::Registration wake = call.cancel.on_cancel([this] {
    MutexLock lock(mutex_);
    changed_.notify_all();
  });
  MutexLock lock(mutex_);
  std::uint64_t finished_before = finished_;
  bool again = true;
  while (true) {
    if (current_ && usable(*current_, rejected_)) {
      const auto life = current_->expires_at - current_->obtained_at;
      const auto renew_at =
          current_->obtained_at +
          std::chrono::duration_cast<std::chrono::nanoseconds>(life * kRenewAfter);
      // Ahead of time: the others go on with the old one meanwhile.
      if (clock_.wall() >= renew_at && !refreshing_ && clock_.steady() >= not_before_) {
        begin_refresh_locked();
      }
      return current_->access_token.reveal();
    }
    // This call has waited for a refresh, and it did not help.
    if (finished_ != finished_before && !refreshing_) {
      if (last_error_) return fail(explain(*last_error_));
      if (!again) {
        return fail(explain({ErrorCode::kUnauthenticated,
                             options_.remote + ": the server refuses the tokens that it gives"}));
      }
      // It may have begun before its result was rejected.
      again = false;
      finished_before = finished_;
    }
    if (!call.may_block) return fail(ErrorCode::kWouldBlock, "token refresh");
    if (!refreshing_) begin_refresh_locked();
    if (call.cancel.cancelled()) return fail(ErrorCode::kCancelled, "token refresh");
    // Bounded: the largest time point cannot be waited for on every clock.
    const SteadyTime until =
        std::min(call.deadline, std::chrono::steady_clock::now() + std::chrono::hours(1));
    if (!changed_.wait_until(mutex_, until) && refreshing_) {
      return fail(ErrorCode::kTimeout, "token refresh: no answer in time");
    }
  }
}

void OAuthTokenSource::invalidate(const std::string& rejected_token) {
  MutexLock lock(mutex_);
  // Somebody else's 401 may be about a token that has been replaced already.
  if (current_ && current_->access_token.reveal() == rejected_token) {
    rejected_ = current_->access_token;
  }
}

void OAuthTokenSource::begin_refresh_locked() {
  refreshing_ = true;
  executor_.submit([this] { refresh(); });
}

void OAuthTokenSource::refresh() {
  SecretString rejected;
  {
    MutexLock lock(mutex_);
    rejected = rejected_;
  }
  Result<StoredTokens> fetched = fetch(rejected);
  MutexLock lock(mutex_);
  if (fetched) {
    // The old pair again: the server could not be reached.
    const bool same = current_ && current_->access_token == fetched->access_token;
    current_ = std::move(*fetched);
    last_error_.reset();
    not_before_ = same ? clock_.steady() + options_.retry_after_failure : SteadyTime::min();
  } else {
    last_error_ = fetched.error();
    not_before_ = clock_.steady() + options_.retry_after_failure;
    log_info("{}: token refresh: {}", options_.remote, to_string(fetched.error()));
  }
  refreshing_ = false;
  ++finished_;
  changed_.notify_all();
}

Result<std::optional<StoredTokens>> OAuthTokenSource::load() {
  TRY_ASSIGN(const std::optional<SecretString> text, store_.get(options_.remote, kTokensKey));
  if (!text) return std::optional<StoredTokens>();
  return decode_tokens(*text);
}

Result<StoredTokens> OAuthTokenSource::fetch(const SecretString& rejected) {
  CallContext call{std::chrono::steady_clock::now() + options_.refresh_timeout, stopping_.token(),
                   Priority::kForeground, true};
  TRY_ASSIGN(const FileLock lock, FileLock::acquire(options_.lock_file, call));
  // What has been sent is waited for, whatever happens: its answer may hold the only live token.
  call.cancel = CancelToken();
  TRY_ASSIGN(std::optional<StoredTokens> stored, load());
  if (unsaved_) {
    // A logout or another login may have come meanwhile.
    const bool awaited = stored && stored->refresh_token == unsaved_->spent;
    if (awaited) {
      TRY(store_.set(options_.remote, kTokensKey, encode_tokens(unsaved_->tokens)));
      stored = std::move(unsaved_->tokens);
    }
    unsaved_.reset();
    if (awaited && usable(*stored, rejected)) return *stored;
  }
  bool young = false;
  if (stored) {
    const auto life = stored->expires_at - stored->obtained_at;
    young = clock_.wall() <
            stored->obtained_at +
                std::chrono::duration_cast<std::chrono::nanoseconds>(life * kRenewAfter);
  }
  // Another process was faster, or this one has just started.
  if (stored && young && usable(*stored, rejected)) return *stored;
  Result<OAuthTokens> answer = ask_server(stored.value_or(StoredTokens{}), call);
  if (!answer) {
    // While it lives, the old one is better than nothing.
    if (stored && usable(*stored, rejected) && is_transient(answer.error().code) &&
        answer.error().code != ErrorCode::kUnauthenticated) {
      return *stored;
    }
    return fail(std::move(answer).error());
  }
  StoredTokens next = to_stored(*answer, clock_.wall(), options_.default_lifetime,
                                stored ? stored->refresh_token : SecretString());
  const Result<void> saved = store_.set(options_.remote, kTokensKey, encode_tokens(next));
  if (!saved) {
    // The old refresh token is spent. The new pair stays in memory until the store takes it.
    unsaved_ = {std::move(next), stored ? stored->refresh_token : SecretString()};
    return fail(saved.error().code, "saving the new token: " + saved.error().context);
  }
  return next;
}

Result<OAuthTokens> OAuthTokenSource::ask_server(const StoredTokens& old, const CallContext& call) {
  Result<OAuthTokens> tokens = ask_endpoint(old, call);
  // It is this client that is refused, by its registration or its secret.
  if (!tokens && tokens.error().code == ErrorCode::kDenied)
    tokens.error().code = ErrorCode::kNoAccess;
  return tokens;
}

Result<OAuthTokens> OAuthTokenSource::ask_endpoint(const StoredTokens& old,
                                                   const CallContext& call) {
  // A login may have brought another one since this began.
  TRY_ASSIGN(const auto secret, store_.get(options_.remote, kClientSecretKey));
  OAuthClient client = options_.client;
  if (secret) client.client_secret = *secret;
  if (options_.jwt) {
    TRY_ASSIGN(const SecretString key, read_private_key(options_.jwt->private_key_file));
    TRY_ASSIGN(const SecretString assertion,
               make_jwt_assertion(options_.jwt->claims, key, clock_.wall()));
    return exchange_assertion(http_, call, client, assertion);
  }
  if (old.refresh_token.empty()) {
    return fail(ErrorCode::kUnauthenticated, options_.remote + ": the login has ended");
  }
  if (old.refresh_token == dead_refresh_token_) return fail(dead_error_);
  Result<OAuthTokens> tokens = refresh_tokens(http_, call, client, old.refresh_token);
  if (!tokens && tokens.error().code == ErrorCode::kUnauthenticated) {
    dead_refresh_token_ = old.refresh_token;
    dead_error_ = tokens.error();
  }
  return tokens;
}

}  // namespace cabinetfs
