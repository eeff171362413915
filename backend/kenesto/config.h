#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace cabinetfs {

// One Kenesto account, as far as its client needs to know it. Secrets are not here.
struct KenestoConfig {
  // "https://app.kenesto.com". A path replaces the usual "/Kenesto.Web.API".
  std::string base_url;
  // The account's address and tenant, where the session cannot tell them (a pasted token).
  std::string user;
  std::string tenant;
  // The vendor's own programs use calls that no page describes: rename, rights, used space. kProbe
  // asks the server at the first account() whether it has them.
  enum class Undocumented { kProbe, kOn, kOff };
  Undocumented undocumented_calls = Undocumented::kProbe;
  // Largest content for put(); what is larger goes with put_stream().
  std::uint64_t put_max = 8u << 20;
  // A change that the server has agreed to and does not show is waited for so long, an upload also
  // by its size.
  std::chrono::milliseconds settle = std::chrono::seconds(15);
  // One PUT to the object store takes no more.
  std::uint64_t max_file_size = std::uint64_t{5} << 30;
};

}  // namespace cabinetfs
