// login and logout.

#include <fmt/format.h>

#include "backend/auth/secret_store.h"
#include "backend/http/http_client.h"
#include "backend/remote_store.h"
#include "tools/cabinetfs/commands.h"
#include "tools/cabinetfs/config.h"
#include "tools/cabinetfs/connection.h"
#include "tools/cabinetfs/mount_call.h"
#include "tools/cabinetfs/output.h"
#include "tools/cabinetfs/vendors/vendor.h"

namespace cabinetfs {
ExitCode run_login(const Paths& paths, const LoginCommand& command) {
  const auto config = Config::load(paths.config_file);
  if (!config) return usage_error(config.error().context);
  const auto options = config->options_for(command.remote);
  if (!options) return usage_error(options.error().context);
  const Vendor& vendor = vendor_of(*options);
  if (const auto good = vendor.check_options(command.remote, *options); !good)
    return usage_error(fmt::format("{} (in {})", good.error().context, paths.config_file));
  const auto secrets = open_secrets(paths, *options);
  if (!secrets) return fail_with(secrets.error());
  const auto http = open_http(command.remote, *options);
  if (!http) return usage_error(http.error().context);
  if (const auto done = vendor.log_in({paths, command, *options, **secrets, **http}); !done) {
    if (done.error().code == ErrorCode::kCancelled) {
      complain("the login was interrupted");
      return ExitCode::kFailed;
    }
    // "Log in" is no advice here.
    complain(printable(done.error().context));
    if (done.error().code == ErrorCode::kUnauthenticated)
      complain("the server did not accept these credentials");
    return done.error().code == ErrorCode::kInvalid ? ExitCode::kUsage
                                                    : exit_code_for(done.error().code);
  }
  // The proof is a call.
  InterruptScope interrupt;
  auto connection = Connection::open(paths, command.remote, *options);
  if (!connection) return fail_with(connection.error(), command.remote);
  const auto account =
      (*connection)
          ->store()
          .account(CallContext::within(kServerPatience, Priority::kForeground, interrupt.token()));
  if (interrupt.interrupted()) {
    complain(printable(
        fmt::format("interrupted; the credentials of {} are kept, untried", command.remote)));
    return ExitCode::kFailed;
  }
  if (!account) return fail_with(account.error(), command.remote);
  say(printable(fmt::format("{}: logged in as {}; credentials are kept in: {}", command.remote,
                            account->email, (*connection)->secrets().description())));
  return ExitCode::kOk;
}

ExitCode run_logout(const Paths& paths, const std::string& remote) {
  const auto config = Config::load(paths.config_file);
  if (!config) return usage_error(config.error().context);
  const auto options = config->options_for(remote);
  if (!options) return usage_error(options.error().context);
  const auto secrets = open_secrets(paths, *options);
  if (!secrets) return fail_with(secrets.error());
  if (const auto forgotten = forget_credentials(paths, **secrets, remote, *options); !forgotten)
    return fail_with(forgotten.error());
  say(fmt::format("{}: the credentials on this machine are forgotten", remote));
  return ExitCode::kOk;
}

}  // namespace cabinetfs
