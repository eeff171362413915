#pragma once

#include <chrono>
#include <string>

#include "backend/auth/secret_string.h"
#include "backend/base/clock.h"
#include "backend/base/result.h"

namespace cabinetfs {

// The claims of a JWT bearer grant (RFC 7523), as registered with the remote.
struct JwtClaims {
  std::string issuer;
  std::string subject;  // the account, usually an e-mail address
  std::string audience;
  // From `iat` to `exp`; 5 minutes are what servers take at most.
  std::chrono::seconds lifetime{300};
};

// A signed assertion (RS256) that is valid from a minute before `now`. `private_key_pem`: an RSA
// key, not encrypted. kInvalid: the key cannot be read or is of another kind.
Result<SecretString> make_jwt_assertion(const JwtClaims& claims,
                                        const SecretString& private_key_pem, WallTime now);

// Reads a private key file, which others must not be able to read (kDenied).
Result<SecretString> read_private_key(const std::string& path);

}  // namespace cabinetfs
