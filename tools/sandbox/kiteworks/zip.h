#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace cabinetfs::sandbox {
class Blob;
class BodySource;
}  // namespace cabinetfs::sandbox

namespace cabinetfs::sandbox::kiteworks {

struct ZipEntry {
  std::string name;
  std::shared_ptr<const Blob> blob;  // null for a folder, whose name ends in '/'
  std::int64_t modified_ms = 0;
};

// An archive of stored (not compressed) entries that is made while it is sent: its size is not
// known in advance. Entries and archive stay below 4 GiB, or reading throws std::runtime_error.
std::shared_ptr<BodySource> make_zip(std::vector<ZipEntry> entries);

}  // namespace cabinetfs::sandbox::kiteworks
