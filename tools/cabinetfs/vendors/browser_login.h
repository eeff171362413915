#pragma once

#include "backend/auth/oauth.h"
#include "tools/cabinetfs/vendors/vendor.h"

namespace cabinetfs {

// The login of an OAuth application: by browser with PKCE and a loopback redirect, by pasting the
// address that the browser ended on, or from standard input (client secret, refresh token). Stores
// the client secret and the tokens.
Result<void> log_in_with_oauth(const LoginContext& login, OAuthClient client);

}  // namespace cabinetfs
