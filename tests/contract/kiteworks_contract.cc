// The contract over HTTP, against a server with each of the vendor's habits.

#include "tests/contract/kiteworks_world.h"

namespace cabinetfs {
namespace {

ContractCase kiteworks(const std::string& name, const std::string& settings,
                       KiteworksConfig config = {}) {
  return {name, [settings, config]() -> std::unique_ptr<ContractWorld> {
            return std::make_unique<KiteworksWorld>(settings, config);
          }};
}

KiteworksConfig tiny_pages() {
  KiteworksConfig config;
  config.page_limit = 3;
  return config;
}

// Chunks of 64 KiB and puts of 4 KiB at most: many of each, and no megabytes to move.
constexpr const char* kNative = R"({"upload_chunk_max": 65536})";

INSTANTIATE_TEST_SUITE_P(
    Kiteworks, Contract,
    ::testing::Values(
        kiteworks("Native", kNative), kiteworks("TinyPages", kNative, tiny_pages()),
        kiteworks("BareArraysOfTwo",
                  R"({"upload_chunk_max": 65536, "list_shape": "bare", "max_page": 2})"),
        kiteworks("NoMetadata", R"({"upload_chunk_max": 65536, "list_metadata": false,
                                    "max_page": 5, "error_shape": "array"})"),
        kiteworks("ShapesOfTheSpecification",
                  R"({"upload_chunk_max": 65536, "list_shape": "spec", "error_shape": "object",
                      "upload_init_status": 200, "location_header": "X-Kiteworks-Location"})"),
        kiteworks("OldScalars", R"({"upload_chunk_max": 65536, "legacy_scalars": true,
                                    "denied_permissions": "omitted", "timestamps": "Z",
                                    "error_shape": "error", "list_denied_status": 401})"),
        kiteworks("LateHashes", R"({"upload_chunk_max": 65536, "hash_ms": 50, "sha3_ms": 50,
                                    "timestamps": "+00:00", "error_shape": "flat"})"),
        kiteworks("HonestNotFound",
                  R"({"upload_chunk_max": 65536, "missing_status": 404, "max_page": 4,
                      "version_header": "kiteworks", "upload_prefix": "",
                      "list_my_folder": false, "log_downloads": false})")),
    [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace cabinetfs
