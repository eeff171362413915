#include "tools/cabinetfs/vendors/browser_login.h"

#include <fmt/format.h>

#include <atomic>
#include <iostream>
#include <optional>
#include <thread>

#include "backend/auth/browser.h"
#include "backend/auth/loopback_redirect.h"
#include "backend/auth/oauth_token_source.h"
#include "backend/auth/secret_store.h"
#include "backend/http/http_client.h"
#include "tools/cabinetfs/commands.h"
#include "tools/cabinetfs/login_input.h"
#include "tools/cabinetfs/mount_call.h"
#include "tools/cabinetfs/output.h"

namespace cabinetfs {
namespace {

// Waits for the answer on the loopback address and, where there is a terminal and no browser was
// opened, for a pasted one: whichever comes first.
Result<SecretString> wait_for_code(const LoginContext& login, LoopbackRedirect* loopback,
                                   const std::string& state, bool paste) {
  InterruptScope interrupt;
  CancelSource other_came;
  const auto forward = interrupt.token().on_cancel([&other_came] { other_came.cancel(); });
  const auto call =
      CallContext::within(login.command.timeout, Priority::kForeground, other_came.token());
  if (loopback == nullptr || !paste) {
    if (loopback != nullptr) return loopback->wait(call, state);
    TRY_ASSIGN(const std::string pasted, ask_line("Paste the address that the browser ends on: ",
                                                  [&] { return interrupt.interrupted(); }));
    TRY_ASSIGN(std::string code, code_from_paste(pasted, state));
    return SecretString(std::move(code));
  }
  std::atomic<bool> received{false};
  Result<SecretString> from_loopback = fail(ErrorCode::kCancelled, "not waited for");
  std::thread listener([&] {
    from_loopback = loopback->wait(call, state);
    received = true;
  });
  const auto pasted =
      ask_line("Paste the address that the browser ends on (or let it come back by itself): ",
               [&] { return received.load() || interrupt.interrupted(); });
  Result<SecretString> out = fail(ErrorCode::kCancelled, "the login was interrupted");
  if (pasted) {
    if (auto code = code_from_paste(*pasted, state))
      out = SecretString(std::move(*code));
    else
      out = fail(code.error());
    other_came.cancel();
  }
  listener.join();
  if (!pasted) {
    say("");
    return from_loopback;
  }
  return out;
}

Result<OAuthTokens> log_in_by_browser(const LoginContext& login, OAuthClient client) {
  std::optional<LoopbackRedirect> loopback;
  if (client.redirect_uri.empty()) {
    const auto port = static_cast<std::uint16_t>(login.options.remote.redirect_port);
    auto listening = LoopbackRedirect::listen(port);
    if (!listening) {
      if (listening.error().code == ErrorCode::kBusy)
        return fail(ErrorCode::kBusy,
                    fmt::format("port {} is in use, so the browser's answer cannot be received; "
                                "end the other program (another login?), or choose another "
                                "redirect_port that is registered for the application",
                                port));
      return fail(listening.error());
    }
    loopback.emplace(std::move(*listening));
    client.redirect_uri = loopback->redirect_uri();
  } else if (!can_ask()) {
    return fail(ErrorCode::kInvalid,
                "with redirect_uri the answer is pasted, and there is no terminal for that");
  }
  TRY_ASSIGN(const std::string state, random_token());
  Pkce pkce;
  if (client.pkce) {
    TRY_ASSIGN(pkce, make_pkce());
  }
  const std::string url = authorize_url(client, state, pkce.challenge);

  bool opened = false;
  if (login.command.browser) {
    const auto browser = open_browser(url);
    opened = browser.has_value();
    if (!opened) say("No browser could be opened.");
  }
  say(opened ? "Log in in the browser that has just been opened, or open this address yourself:"
             : "Open this address in a browser and log in:");
  say("\n  " + url + "\n");
  std::fflush(stdout);
  TRY_ASSIGN(const SecretString code, wait_for_code(login, loopback ? &*loopback : nullptr, state,
                                                    (!opened || !loopback) && can_ask()));
  return exchange_code(login.http, CallContext::within(kServerPatience), client, code,
                       pkce.verifier);
}

}  // namespace

Result<void> log_in_with_oauth(const LoginContext& login, OAuthClient client) {
  const std::string& remote = login.command.remote;
  std::vector<SecretString> lines;
  if (login.command.secret_stdin) {
    TRY_ASSIGN(lines, read_secret_lines(std::cin, 2));
  }
  if (login.command.secret_stdin) {
    if (lines.empty())
      return fail(ErrorCode::kInvalid,
                  "nothing on standard input: the first line is the client secret (blank for a "
                  "client without one), the second, if there is one, a refresh token");
    client.client_secret = lines[0];
  } else if (client.client_secret.empty()) {
    TRY_ASSIGN(client.client_secret,
               ask_secret(fmt::format("Client secret of the application {} (blank: it has none): ",
                                      client.client_id)));
  }

  if (login.options.remote.auth == RemoteOptions::Auth::kJwt)
    return login.secrets.set(remote, kClientSecretKey, client.client_secret);

  Result<OAuthTokens> tokens = fail(ErrorCode::kInternal, "");
  const auto call = CallContext::within(kServerPatience);
  // A refresh token may work once: from here on Ctrl-C waits until its successor is saved. What a
  // browser got can be had again.
  std::optional<InterruptScope> unbroken;
  if (lines.size() == 2) {
    unbroken.emplace();
    tokens = refresh_tokens(login.http, call, client, lines[1]);
  } else {
    tokens = log_in_by_browser(login, client);
  }
  if (!tokens) return fail(tokens.error());
  // A server that does not rotate refresh tokens does not repeat them.
  if (tokens->refresh_token.empty() && lines.size() == 2) tokens->refresh_token = lines[1];
  TRY(login.secrets.set(remote, kClientSecretKey, client.client_secret));
  TRY(save_login(login.secrets, remote, token_lock_file(login.paths, remote), *tokens,
                 Clock::system().wall(), CallContext::within(kServerPatience)));
  if (tokens->refresh_token.empty())
    complain(
        "the server gave no refresh token: this login ends with its first token. An "
        "administrator can allow refresh tokens for the application");
  return {};
}

}  // namespace cabinetfs
