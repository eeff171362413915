#include "backend/kenesto/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "backend/base/log.h"
#include "backend/base/text.h"
#include "backend/http/http_client.h"
#include "backend/http/http_status.h"
#include "backend/http/redact.h"
#include "backend/kenesto/api.h"
#include "backend/kenesto/quirks.h"
#include "backend/kenesto/wire.h"

namespace cabinetfs {

using namespace kenesto;

namespace {

// A session that ends sooner was not ended by its age.
constexpr std::chrono::seconds kShortLife{10};
constexpr int kShortLivesAllowed = 3;
constexpr std::chrono::seconds kFirstPause{5};
constexpr std::chrono::seconds kLongestPause{300};
// Refusals in unknown words, in a row, after which the credentials count as refused: servers lock
// accounts that try a wrong password again and again.
constexpr int kRefusalsAllowed = 5;
// Between two looks, during a pause, whether other credentials have been put there.
constexpr std::chrono::seconds kBetweenLooks{1};
// A caller that waits for another's login, or for the end of a pause, looks this often whether it
// was cancelled.
constexpr std::chrono::milliseconds kPoll{20};

// A token as an address has it ("%2B", "%2F", "%3D") is taken for what it stands for: base64 has no
// '%'. Anything else stays as it is.
SecretString unescaped(const SecretString& pasted) {
  const std::string text = pasted.reveal();
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      out += text[at];
      continue;
    }
    const auto byte = from_hex(std::string_view(text).substr(at + 1, 2));
    if (!byte || byte->size() != 1) return pasted;
    const char c = static_cast<char>(byte->front());
    if (c != '+' && c != '/' && c != '=') return pasted;
    out += c;
    at += 2;
  }
  return SecretString(std::move(out));
}

class PastedSession final : public KenestoSession {
 public:
  PastedSession(std::string remote, KenestoPasted pasted, PastedTokenSource again, KenestoUser user)
      : remote_(std::move(remote)),
        again_(std::move(again)),
        user_(std::move(user)),
        pasted_(std::move(pasted)),
        token_(unescaped(pasted_.token)) {}

  Result<std::string> token(const CallContext& call) override EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (!rejected_ && !token_.empty()) return token_.reveal();
    if (again_) {
      lock.unlock();
      Result<KenestoPasted> now = again_(call);
      lock.lock();
      if (!now) return fail(std::move(now).error());
      if (rejected_ && (now->stamp != pasted_.stamp || !(now->token == pasted_.token))) {
        token_ = unescaped(now->token);
        pasted_ = *std::move(now);
        rejected_ = false;
      }
      if (!rejected_ && !token_.empty()) return token_.reveal();
    }
    return fail(ErrorCode::kUnauthenticated, remote_ +
                                                 ": the token is not accepted any more; run "
                                                 "`cabinetfs login " +
                                                 remote_ + "`");
  }

  void invalidate(const std::string& rejected) override EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (rejected == token_.reveal()) rejected_ = true;
  }

  KenestoUser user() const override { return user_; }

 private:
  const std::string remote_;
  const PastedTokenSource again_;
  const KenestoUser user_;
  Mutex mutex_;
  KenestoPasted pasted_ GUARDED_BY(mutex_);
  SecretString token_ GUARDED_BY(mutex_);  // of `pasted_`
  bool rejected_ GUARDED_BY(mutex_) = false;
};

bool are_same(const KenestoCredentials& a, const KenestoCredentials& b) {
  return a.stamp == b.stamp && a.access_key == b.access_key && a.user == b.user &&
         a.password == b.password;
}

Error log_in_again(const KenestoLogin& login, std::string_view why) {
  return {ErrorCode::kUnauthenticated,
          fmt::format("{}: {}; run `cabinetfs login {}`", login.remote, why, login.remote)};
}

// One step of the login. `unknown_words`: the server's, where it refuses for a reason that is not
// known to be final.
Result<WireEnvelope> ask(HttpClient& http, const CallContext& call, std::string url,
                         const char* label, const KenestoLogin& login,
                         const std::vector<std::string>& secrets,
                         std::optional<std::string>& unknown_words) {
  HttpRequest request;
  request.url = std::move(url);
  request.label = label;
  request.idempotent = true;
  request.max_body = 1u << 20;
  request.redirects = HttpRequest::Redirects::kNone;
  request.headers.emplace_back("Accept", "application/json");
  TRY_ASSIGN(const HttpResponse response, http.perform(call, std::move(request)));
  Result<WireEnvelope> envelope = parse_envelope(response.body);
  if (!envelope) {
    if (response.status == 401 || response.status == 403) {
      return fail(log_in_again(login, "the server refuses the access key or the user"));
    }
    if (response.status >= 400) {
      return fail(error_from_status(response.status) == ErrorCode::kNotFound
                      ? ErrorCode::kUnavailable
                      : error_from_status(response.status),
                  fmt::format("{}: {}", label, response.status));
    }
    // A page of something in between, most likely.
    return fail(ErrorCode::kUnavailable, fmt::format("{}: {}", label, envelope.error().context));
  }
  if (envelope->ok && response.status < 400) return envelope;
  const std::string words = printable(envelope->message, secrets);
  if (code_in(envelope->message) == "VAL10335") {
    return fail(log_in_again(login, "the company's licence has expired (" + words + ")"));
  }
  if (code_in(envelope->message) == "ACCESS_DENIED") {
    return fail(log_in_again(login, "wrong user or password (" + words + ")"));
  }
  if (response.status == 401 || response.status == 403) {
    return fail(log_in_again(login, fmt::format("login refused ({})", words)));
  }
  if (response.status < 500 && response.status != 429) unknown_words = words;
  return fail(ErrorCode::kUnavailable, fmt::format("{}: {} {}", label, response.status, words));
}

Result<KenestoTokens> both_steps(HttpClient& http, const CallContext& call,
                                 const KenestoLogin& login, const KenestoCredentials& credentials,
                                 std::optional<std::string>& unknown_words) {
  TRY_ASSIGN(const std::string base, service_base(login.base_url));
  if (credentials.access_key.empty() || credentials.user.empty()) {
    return fail(log_in_again(login, "an access key and a user are needed"));
  }
  std::vector<std::string> secrets = {credentials.access_key.reveal(),
                                      credentials.password.reveal()};
  TRY_ASSIGN(const WireEnvelope first,
             ask(http, call,
                 fmt::format("{}/Access.svc/Authenticate/json/{}?u={}&p={}", base,
                             percent_encode(credentials.access_key.reveal()),
                             percent_encode(credentials.user),
                             percent_encode(credentials.password.reveal())),
                 "Access.svc/Authenticate", login, secrets, unknown_words));
  TRY_ASSIGN(const WireAuthentication authentication, parse_authentication(first));
  secrets.push_back(authentication.token);

  const auto& known = authentication.organizations;
  std::string organization = login.organization;
  if (!organization.empty()) {
    const auto found = std::find_if(known.begin(), known.end(), [&](const WireOrganization& one) {
      return fold_name(one.id) == fold_name(organization);
    });
    if (found != known.end()) organization = found->id;
    // A server that lists none may still know it.
    if (found == known.end() && !known.empty()) {
      return fail(
          log_in_again(login, "the account does not belong to the configured organization"));
    }
  } else {
    const auto found = std::find_if(known.begin(), known.end(),
                                    [](const WireOrganization& one) { return one.is_default; });
    if (found != known.end()) organization = found->id;
    if (organization.empty() && known.size() == 1) organization = known.front().id;
    if (organization.empty()) {
      return fail(
          log_in_again(login, "no organization is the default one; set `organization` to one"));
    }
  }
  TRY_ASSIGN(const WireEnvelope second,
             ask(http, call,
                 fmt::format("{}/Access.svc/Login/json/{}?t={}", base, percent_encode(organization),
                             percent_encode(authentication.token)),
                 "Access.svc/Login", login, secrets, unknown_words));
  TRY_ASSIGN(WireLogin told, parse_login(second));
  KenestoTokens out;
  out.token = SecretString(std::move(told.token));
  out.user.email = told.email.empty() ? credentials.user : told.email;
  out.user.name = told.first_name;
  if (!told.last_name.empty()) out.user.name += (out.user.name.empty() ? "" : " ") + told.last_name;
  out.user.tenant = told.tenant;
  for (std::string& secret : secrets) SecretString::wipe(secret);
  return out;
}

}  // namespace

Result<KenestoTokens> kenesto_login(HttpClient& http, const CallContext& call,
                                    const KenestoLogin& login,
                                    const KenestoCredentials& credentials) {
  std::optional<std::string> unknown_words;
  return both_steps(http, call, login, credentials, unknown_words);
}

std::unique_ptr<KenestoSession> make_pasted_kenesto_session(std::string remote, SecretString token,
                                                            KenestoUser user) {
  return make_pasted_kenesto_session(std::move(remote), KenestoPasted{std::move(token), {}}, {},
                                     std::move(user));
}

std::unique_ptr<KenestoSession> make_pasted_kenesto_session(std::string remote,
                                                            KenestoPasted pasted,
                                                            PastedTokenSource again,
                                                            KenestoUser user) {
  return std::make_unique<PastedSession>(std::move(remote), std::move(pasted), std::move(again),
                                         std::move(user));
}

KenestoLoginSession::KenestoLoginSession(HttpClient& http, KenestoLogin login,
                                         CredentialSource credentials, const Clock& clock)
    : http_(http), clock_(clock), credentials_(std::move(credentials)), login_(std::move(login)) {}

KenestoUser KenestoLoginSession::user() const {
  MutexLock lock(mutex_);
  return user_;
}

void KenestoLoginSession::invalidate(const std::string& rejected_token) {
  MutexLock lock(mutex_);
  if (!current_ || current_->token.reveal() != rejected_token) return;
  current_.reset();
  if (clock_.steady() - logged_in_at_ >= kShortLife) {
    short_lives_ = 0;
    return;
  }
  if (++short_lives_ < kShortLivesAllowed) return;
  pause_locked(short_lives_ - kShortLivesAllowed,
               {ErrorCode::kUnavailable,
                login_.remote + ": the server ends every session as soon as it has begun"});
}

void KenestoLoginSession::pause_locked(int before, Error why) {
  not_before_ = clock_.steady() + std::min<std::chrono::nanoseconds>(
                                      kFirstPause * (1 << std::min(before, 8)), kLongestPause);
  log_info("{}; the next login waits", why.context);
  pause_ = std::move(why);
}

Result<std::string> KenestoLoginSession::token(const CallContext& call) {
  MutexLock lock(mutex_);
  const std::uint64_t before = failed_;
  while (true) {
    if (current_) return current_->token.reveal();
    // Another caller's login failed while this one waited: asking again at once would not help.
    if (failed_ != before) return fail(last_error_);
    if (call.cancel.cancelled()) return fail(ErrorCode::kCancelled, "login: cancelled");
    const SteadyTime now = std::chrono::steady_clock::now();
    if (now >= call.deadline) return fail(ErrorCode::kTimeout, "login: the deadline has passed");
    const auto pause = not_before_ - std::min(clock_.steady(), not_before_);
    if (pause == pause.zero() && !logging_in_) break;
    if (pause > pause.zero() && call.may_block && may_look_locked()) {
      lock.unlock();
      look_for_others(call);
      lock.lock();
      continue;
    }
    // A pause that this caller has no time for.
    if (pause >= call.deadline - now) return fail(pause_);
    if (!call.may_block) return fail(ErrorCode::kWouldBlock, "login");
    static_cast<void>(changed_.wait_for(mutex_, kPoll));
  }
  logging_in_ = true;
  lock.unlock();
  Result<KenestoTokens> tokens = log_in(call);
  lock.lock();
  logging_in_ = false;
  changed_.notify_all();
  if (tokens) {
    current_ = std::move(*tokens);
    user_ = current_->user;
    logged_in_at_ = clock_.steady();
    log_debug("kenesto: logged in to {}", login_.remote);
    return current_->token.reveal();
  }
  // A caller that gave up has learned nothing; the next one tries.
  if (tokens.error().code != ErrorCode::kCancelled && tokens.error().code != ErrorCode::kTimeout) {
    ++failed_;
    last_error_ = tokens.error();
  }
  return fail(std::move(tokens).error());
}

bool KenestoLoginSession::may_look_locked() {
  const SteadyTime now = clock_.steady();
  if (!tried_ || (looked_at_ != SteadyTime::min() && now - looked_at_ < kBetweenLooks))
    return false;
  looked_at_ = now;
  return true;
}

void KenestoLoginSession::look_for_others(const CallContext& call) {
  const Result<KenestoCredentials> now = credentials_(call);
  MutexLock lock(mutex_);
  if (!now || !tried_ || are_same(*now, *tried_)) return;
  not_before_ = SteadyTime::min();
  short_lives_ = 0;
  changed_.notify_all();
}

Result<KenestoTokens> KenestoLoginSession::log_in(const CallContext& call) {
  TRY_ASSIGN(KenestoCredentials credentials, credentials_(call));
  {
    MutexLock lock(mutex_);
    if (refused_ && are_same(*refused_, credentials)) return fail(refusal_);
    if (!tried_ || !are_same(*tried_, credentials)) refusals_in_words_ = 0;
    tried_ = credentials;
  }
  std::optional<std::string> unknown_words;
  Result<KenestoTokens> tokens = both_steps(http_, call, login_, credentials, unknown_words);
  MutexLock lock(mutex_);
  if (tokens) {
    refusals_in_words_ = 0;
    return tokens;
  }
  Error error = std::move(tokens).error();
  // An answer without a token is no verdict on what the session is wanted for.
  if (error.code == ErrorCode::kCorrupt) error.code = ErrorCode::kUnavailable;
  if (unknown_words && ++refusals_in_words_ >= kRefusalsAllowed) {
    error = log_in_again(
        login_, fmt::format("login refused {} times ({})", refusals_in_words_, *unknown_words));
  }
  if (error.code == ErrorCode::kUnauthenticated) {
    refused_ = std::move(credentials);
    refusal_ = error;
  } else if (unknown_words) {
    pause_locked(refusals_in_words_ - 1, error);
  }
  return fail(std::move(error));
}

}  // namespace cabinetfs
