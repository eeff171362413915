// The contract over HTTP, against a server with each of the vendor's habits.

#include "tests/contract/powerfolder_world.h"

namespace cabinetfs {
namespace {

ContractCase server(const std::string& name, const std::string& settings,
                    PowerFolderConfig config = PowerFolderWorld::everything()) {
  return {name, [settings, config]() -> std::unique_ptr<ContractWorld> {
            return std::make_unique<PowerFolderWorld>(settings, config);
          }};
}

PowerFolderConfig with_bearer() {
  PowerFolderConfig config = PowerFolderWorld::everything();
  config.bearer = true;
  return config;
}

INSTANTIATE_TEST_SUITE_P(
    PowerFolder, Contract,
    ::testing::Values(
        server("Default", "{}"),
        server("StrongEtagsAndLocks", R"({"etag": "strong", "locks": true, "quota_props": true})"),
        server("WeakEtags", R"({"etag": "weak", "propfind_status": 200, "xml_prefix": "d"})"),
        server("NoRanges", R"({"ranges": false, "href_style": "url", "self_entry": "last"})"),
        server("ByAccessToken", R"({"href_escaping": "full", "xml_prefix": ""})", with_bearer())),
    [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace cabinetfs
