#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/kiteworks/config.h"
#include "backend/remote_store.h"

namespace cabinetfs {

class HttpClient;
struct AuthorizedClientOptions;
struct HttpClientOptions;

// The store of one Kiteworks account. `http` outlives it and adds the authorization (an
// AuthorizedClient); the store sends the version headers itself. kInvalid: the base URL.
Result<std::unique_ptr<RemoteStore>> make_kiteworks_store(HttpClient& http,
                                                          const KiteworksConfig& config);

// What the engine has to know of this vendor: its request limit and how it says "too many". A limit
// that is set already stays.
void apply_kiteworks_policy(HttpClientOptions& options);
// The same for the authorized client: where tokens go and which answers mean that one is dead.
void apply_kiteworks_policy(AuthorizedClientOptions& options, const KiteworksConfig& config);

// Parameters of the code exchange (OAuthClient::exchange_parameters) by which the account's list of
// devices tells this login from others. `host` is shown there; of `installation`, which should be
// the same at the next login and another on every machine, account and remote, only a digest is
// sent.
std::vector<std::pair<std::string, std::string>> kiteworks_device(const std::string& host,
                                                                  const std::string& installation);

}  // namespace cabinetfs
