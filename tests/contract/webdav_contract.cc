// The contract against real WebDAV servers.

#include "tests/contract/webdav_world.h"

namespace cabinetfs {
namespace {

ContractCase server(const std::string& name, DavServer::Kind kind, DavServerOptions options,
                    WebDavConfig config = {}) {
  return {name, [kind, options, config]() -> std::unique_ptr<ContractWorld> {
            const std::string missing = DavServer::missing(kind);
            if (!missing.empty()) return nullptr;
            return std::make_unique<WebDavWorld>(kind, options, config);
          }};
}

DavServerOptions with(DavServerOptions::Etags etags, bool locks) {
  DavServerOptions options;
  options.etags = etags;
  options.locks = locks;
  options.user = "alice";
  options.password = "for this test only: ünïcode";
  return options;
}

// At the top of the server, open to everybody, with a prefix of its own in the URL.
DavServerOptions bare() {
  DavServerOptions options;
  options.prefix = "";
  options.etags = DavServerOptions::Etags::kMtimeSize;
  return options;
}

using Etags = DavServerOptions::Etags;

INSTANTIATE_TEST_SUITE_P(
    WebDav, Contract,
    ::testing::Values(
        server("Apache", DavServer::Kind::kApache, with(Etags::kInode, true)),
        server("ApacheWithoutEtags", DavServer::Kind::kApache, with(Etags::kNone, false)),
        server("ApacheAtTheTop", DavServer::Kind::kApache, bare()),
        server("Nginx", DavServer::Kind::kNginx, with(Etags::kMtimeSize, true)),
        server("NginxWithoutEtags", DavServer::Kind::kNginx, with(Etags::kNone, false))),
    [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace cabinetfs
