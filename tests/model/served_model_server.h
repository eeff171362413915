#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/model/client_connection.h"
#include "tests/model/model_server.h"
#include "tests/unit/cache/tree/volume_harness.h"

namespace cabinetfs {

// A server of its own with the habits of a vendor, and the vendor's real client in front of it. The
// play goes on below its folder "Work".
class ServedModelServer : public ModelServer {
 public:
  // A new client, as after a restart; the one before is gone then.
  RemoteStore& connect();
  virtual ServerAddress address() const = 0;
  // Ends the client, and waits until the server has done whatever has arrived there, also from
  // clients that are dead. False: it has not in a long time.
  bool come_to_rest();

 protected:
  // That the server listens at.
  virtual std::vector<std::uint16_t> ports() const = 0;

 private:
  std::unique_ptr<ClientConnection> connection_;
};

// Vendors that plays can run on here; the others' servers are not installed.
std::vector<std::string> served_vendors();
// `quirks`: of the habits that the vendor leaves open, other ones for each number.
// `vault`: a folder below "Work" whose files need a lock for new content, where the vendor has
// such.
std::unique_ptr<ServedModelServer> make_served_model_server(const std::string& vendor,
                                                            std::uint64_t quirks,
                                                            const std::string& vault);

}  // namespace cabinetfs
