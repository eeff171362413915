#pragma once

#include <string>
#include <string_view>

namespace cabinetfs {

// What logs and errors may show of URLs, headers and bodies. Secrets are found by the name that
// stands before them (token, secret, password, code, assertion, signature, key, session, cookie
// ...); hiding too much is fine, so a name that merely contains one of the words counts.

bool is_secret_name(std::string_view name);
// User names in the URL go, and the values of secret query parameters become "***".
std::string redact_url(std::string_view url);
// The value to show for a header.
std::string redact_header(std::string_view name, std::string_view value);
// Free text, forms and JSON: name=value, "name": "value", and what follows Bearer or Basic.
std::string redact_text(std::string_view text);

}  // namespace cabinetfs
