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

PowerFolderConfig on_windows() {
  PowerFolderConfig config = PowerFolderWorld::everything();
  config.case_sensitive = false;
  return config;
}

INSTANTIATE_TEST_SUITE_P(
    PowerFolder, Contract,
    ::testing::Values(
        server("Default", "{}"),
        server("StrongEtagsAndLocks", R"({"etag": "strong", "locks": true, "quota_props": true})"),
        server("WeakEtags", R"({"etag": "weak", "propfind_status": 200, "xml_prefix": "d"})"),
        server("NoRanges", R"({"ranges": false, "href_style": "url", "self_entry": "last"})"),
        server("OddShapes",
               R"({"omit_length": true, "odd_displayname": true, "system_dirs": true,
                   "slash_redirect": "301", "single_item": "object", "empty_list": "204",
                   "name_key": "name", "account_shape": "resultset", "self_entry": "absent"})"),
        server("ConditionsIgnored",
               R"({"conditions": false, "etag": "strong", "files_api": false,
                   "root_mkcol": false, "id_style": "plain", "cross_move": false,
                   "error_body": "json"})"),
        server("LateViews", R"({"api_delay_ms": 30, "dav_delay_ms": 30, "twins": "both"})"),
        server("Windows", R"({"case_sensitive": false, "names": "windows", "etag": "weak"})",
               on_windows()),
        server("ByAccessToken", R"({"href_escaping": "full", "xml_prefix": ""})", with_bearer())),
    [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace cabinetfs
