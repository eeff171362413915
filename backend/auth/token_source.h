#pragma once

#include <memory>
#include <string>

#include "backend/auth/secret_string.h"
#include "backend/base/call.h"
#include "backend/base/result.h"

namespace cabinetfs {

// Gives out the access token that requests of one remote carry. Thread safe.
class TokenSource {
 public:
  virtual ~TokenSource() = default;
  // A token that is believed to be alive. kUnauthenticated: only `cabinetfs login` helps.
  // kUnavailable: it had to be refreshed and the remote could not be reached. kTimeout, kCancelled.
  virtual Result<std::string> token(const CallContext& call) = 0;
  // The server refused this token. The next token() gets another one; naming the token makes sure
  // that many callers with the same refused token cost one refresh.
  virtual void invalidate(const std::string& rejected_token) = 0;
};

// A token that cannot be renewed (a pasted session token). Refused once, it stays refused.
std::unique_ptr<TokenSource> make_fixed_token_source(std::string remote, SecretString token);

}  // namespace cabinetfs
