#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "backend/auth/secret_string.h"
#include "backend/auth/token_source.h"
#include "backend/base/clock.h"
#include "backend/base/mutex.h"

namespace cabinetfs {

class HttpClient;

// Whom a session belongs to, as far as its login told. Empty: not told.
struct KenestoUser {
  std::string email, name, tenant;
};

// A session token that requests carry in their query, and whose it is. Thread safe.
class KenestoSession : public TokenSource {
 public:
  virtual KenestoUser user() const = 0;
};

// What a login needs. The access key names the program that logs in; customers get theirs from the
// vendor.
struct KenestoCredentials {
  SecretString access_key;
  std::string user;
  SecretString password;
  // Of when they were put where they rest. The same ones, put there again, are tried again.
  std::string stamp = {};
};

struct KenestoLogin {
  std::string remote;        // its name, for messages
  std::string base_url;      // as in KenestoConfig
  std::string organization;  // empty: the account's default one
};

struct KenestoTokens {
  SecretString token;
  KenestoUser user;
};

// The two steps of a login. kUnauthenticated is final: wrong user or password, licence expired, no
// such organization. Anything else may work later, also what is refused in unknown words.
Result<KenestoTokens> kenesto_login(HttpClient& http, const CallContext& call,
                                    const KenestoLogin& login,
                                    const KenestoCredentials& credentials);

// A token that somebody pasted, also as it stands in an address. Refused once, it stays refused.
std::unique_ptr<KenestoSession> make_pasted_kenesto_session(std::string remote, SecretString token,
                                                            KenestoUser user = {});

// The same, but once it was refused `again` is asked for another one, or for the same one that was
// pasted again since (another stamp).
struct KenestoPasted {
  SecretString token;
  std::string stamp;
};
using PastedTokenSource = std::function<Result<KenestoPasted>(const CallContext&)>;
std::unique_ptr<KenestoSession> make_pasted_kenesto_session(std::string remote,
                                                            KenestoPasted pasted,
                                                            PastedTokenSource again,
                                                            KenestoUser user = {});

// Logs in when a token is first needed, and again when the server has ended the session: once for
// all callers, on the thread of one of them while the others wait (each until its own deadline).
// There is no renewal, logout or told lifetime.
//
// Never a loop: credentials that were refused are not tried again (kUnauthenticated) until
// `credentials` gives others or a new stamp; a server that keeps ending fresh sessions, or refuses
// in words that are not known, is asked ever more rarely; five refusals of that kind in a row count
// as one of the credentials. Callers wait for that, and are told kUnavailable at once where it
// would outlast their deadline. Other credentials, or a new stamp, end the waiting.
class KenestoLoginSession final : public KenestoSession {
 public:
  // Where the secrets rest. Called before each login, and once a second at most while the next one
  // waits; may read a keyring, so it may block.
  using CredentialSource = std::function<Result<KenestoCredentials>(const CallContext&)>;

  // `http` outlives this.
  KenestoLoginSession(HttpClient& http, KenestoLogin login, CredentialSource credentials,
                      const Clock& clock = Clock::system());

  Result<std::string> token(const CallContext& call) override EXCLUDES(mutex_);
  void invalidate(const std::string& rejected_token) override EXCLUDES(mutex_);
  KenestoUser user() const override EXCLUDES(mutex_);

 private:
  Result<KenestoTokens> log_in(const CallContext& call) EXCLUDES(mutex_);
  // Whether it is time to look again whether the credentials are still those that were tried.
  bool may_look_locked() REQUIRES(mutex_);
  // Ends a pause that was for other credentials than there are now.
  void look_for_others(const CallContext& call) EXCLUDES(mutex_);
  // `before`: pauses in a row for the same reason.
  void pause_locked(int before, Error why) REQUIRES(mutex_);

  // Dependencies
  HttpClient& http_;
  const Clock& clock_;
  const CredentialSource credentials_;
  // Constants
  const KenestoLogin login_;
  // Mutable state
  mutable Mutex mutex_;
  CondVar changed_;
  std::optional<KenestoTokens> current_ GUARDED_BY(mutex_);
  KenestoUser user_ GUARDED_BY(mutex_);  // also while there is no session
  bool logging_in_ GUARDED_BY(mutex_) = false;
  std::uint64_t failed_ GUARDED_BY(mutex_) = 0;  // logins
  Error last_error_ GUARDED_BY(mutex_);          // of the last one of these
  SteadyTime logged_in_at_ GUARDED_BY(mutex_) = SteadyTime::min();
  SteadyTime not_before_ GUARDED_BY(mutex_) = SteadyTime::min();
  Error pause_ GUARDED_BY(mutex_);                // why it is not before that
  int short_lives_ GUARDED_BY(mutex_) = 0;        // sessions in a row that ended at once
  int refusals_in_words_ GUARDED_BY(mutex_) = 0;  // logins in a row
  std::optional<KenestoCredentials> tried_ GUARDED_BY(mutex_);  // in the last login
  SteadyTime looked_at_ GUARDED_BY(mutex_) = SteadyTime::min();
  // Credentials that the server has refused, and its words.
  std::optional<KenestoCredentials> refused_ GUARDED_BY(mutex_);
  Error refusal_ GUARDED_BY(mutex_);
};

}  // namespace cabinetfs
