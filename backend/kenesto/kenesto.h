#pragma once

#include <memory>

#include "backend/kenesto/config.h"
#include "backend/kenesto/session.h"
#include "backend/remote_store.h"

namespace cabinetfs {

class HttpClient;
struct HttpClientOptions;

// The store of one Kenesto account. `http` (the bare engine: tokens travel in the query, and
// content comes from another host) and `session` outlive it. kInvalid: the base URL.
Result<std::unique_ptr<RemoteStore>> make_kenesto_store(HttpClient& http, KenestoSession& session,
                                                        const KenestoConfig& config,
                                                        const Clock& clock = Clock::system());

// What the engine has to know of this vendor: no published limit of requests, so few at a time.
void apply_kenesto_policy(HttpClientOptions& options);

// Under which keys of the SecretStore a login rests. A pasted token goes before the others.
inline constexpr const char* kKenestoAccessKey = "access_key";
inline constexpr const char* kKenestoPassword = "password";
inline constexpr const char* kKenestoSessionToken = "session_token";
// No secret: another one with each login, so that a mount notices also one with the same password.
inline constexpr const char* kKenestoLoginStamp = "login_stamp";

}  // namespace cabinetfs
