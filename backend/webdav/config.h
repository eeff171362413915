#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "backend/remote_types.h"

namespace cabinetfs {

// One collection on a WebDAV server, as far as its client needs to know it. Credentials are not
// here: the HttpClient that the store is made with adds them.
struct WebDavConfig {
  // "https://cloud.example.com/remote.php/dav/files/me", with or without a slash at the end. The
  // collection that it names is the root of the store.
  std::string base_url;
  // Capabilities::vendor.
  std::string vendor = "webdav";
  // For account(): who the credentials belong to, as the user wrote it.
  std::string user;
  NameRules names;
  // Largest answer to one listing; beyond it kTooLarge. About 600 bytes an entry.
  std::size_t max_listing = 64u << 20;
  // Largest content of put(); what is larger goes with put_stream(). Bytes.
  std::uint64_t put_max = 8u << 20;
  // WebDAV locks (class 2), when the server announces them. Held locks are refreshed at half their
  // lifetime.
  bool locks = true;
  std::chrono::seconds lock_lifetime = std::chrono::minutes(5);
  // Told to the server with each lock, and by it to others; a lock that bears it is ours, also
  // after a restart. Must differ between accounts and machines. Empty: `user` on this host.
  std::string lock_owner;
  // Before an unlikely answer (a full folder listed as empty, an upload that is not there yet) is
  // asked for once more.
  std::chrono::milliseconds second_look = std::chrono::milliseconds(700);
  // Attempts of one upload whose answer got lost, looking in between at what arrived.
  int upload_attempts = 3;
};

}  // namespace cabinetfs
