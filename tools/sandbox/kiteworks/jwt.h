#pragma once

#include <string>
#include <string_view>

namespace cabinetfs::sandbox::kiteworks {

// BASE64URL(SHA-256(verifier)), RFC 7636.
std::string pkce_challenge(std::string_view verifier);

// The claims (JSON text) of a token that was signed with RS256 by the owner of `public_key_pem`.
// Throws std::invalid_argument with a reason.
std::string verify_rs256(std::string_view token, const std::string& public_key_pem);

// Standard alphabet with padding, for JSON bodies. Decoding throws std::invalid_argument.
std::string base64_encode(std::string_view bytes);
std::string base64_decode(std::string_view text);

}  // namespace cabinetfs::sandbox::kiteworks
