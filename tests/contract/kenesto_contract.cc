// The contract over HTTP, against a server with each of the vendor's habits.

#include "tests/contract/kenesto_world.h"

namespace cabinetfs {
namespace {

ContractCase kenesto(const std::string& name, const std::string& settings,
                     KenestoConfig config = {}) {
  // Puts of 4 KiB at most: streams too, and no megabytes to move.
  config.put_max = 4096;
  return {name, [settings, config]() -> std::unique_ptr<ContractWorld> {
            return std::make_unique<KenestoWorld>(settings, config);
          }};
}

INSTANTIATE_TEST_SUITE_P(
    Kenesto, Contract,
    ::testing::Values(
        kenesto("Native", "{}"), kenesto("OnlyDocumentedCalls", R"({"undocumented": false})"),
        kenesto("JsonInAString", R"({"json_string": true, "bom": true, "ud_echo": "encoded",
                                     "numbers": "number", "fail_spelling": "FAILED"})"),
        kenesto("FailuresAreErrors",
                R"({"failure_http": 500, "holder_key": "correct", "holder_value": "email",
                    "next_href_end": "null", "root_id": "empty", "completed_data": "id",
                    "etag": "md5", "folder_file_name": "name"})"),
        kenesto("TheOtherReading",
                R"({"signature": "v4", "version_order": "newest", "version_dates": "real",
                    "for_update": "strict", "multiple": "atomic", "set_current": "copy",
                    "rename_extension": "full", "rename_duplicates": "fail", "root_id": "zero",
                    "next_href": "none", "same_name": "fail", "etag": "opaque",
                    "holder_value": "id", "discard_own": false, "viewer_url": false,
                    "next_href_end": "false"})")),
    [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace cabinetfs
