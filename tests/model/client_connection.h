#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "backend/remote_store.h"

namespace cabinetfs {

// Where a server for tests is, and who logs in there. As text it goes to another process.
struct ServerAddress {
  std::string vendor;  // kiteworks, kenesto, powerfolder, webdav
  std::string url;
  std::string user;
  std::string password;
  std::string access_key;  // Kenesto only
  // So small that small contents go through sessions and streams too.
  std::uint64_t put_max = 64;

  std::string to_text() const;
  static ServerAddress parse(const std::string& text);
};

// A vendor's real client with all that it stands on, as a mount has it; without waits that only
// make tests slow.
class ClientConnection {
 public:
  virtual ~ClientConnection() = default;
  virtual RemoteStore& store() = 0;
};

// Connected: capabilities() say what the server can do. Throws std::runtime_error.
std::unique_ptr<ClientConnection> connect_client(const ServerAddress& address);

}  // namespace cabinetfs
