// The archive of a bulk download: what is delivered has the name and size of a wanted file.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>

#include "backend/kiteworks/bulk_zip.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cabinetfs;
  std::vector<RemoteEntry> files(2);
  files[0].id.value = "1";
  files[0].name = "a";
  files[0].size = 3;
  files[1].id.value = "2";
  files[1].name = "b.txt";
  files[1].size = 5;
  const kiteworks::ZipMatcher matcher(files, 1000);
  std::set<std::string> seen;
  (void)matcher.deliver(std::as_bytes(std::span(data, size)),
                        [&](const RemoteId& id, std::string content) {
                          if (!seen.insert(id.value).second) std::abort();
                          if (content.size() != (id.value == "1" ? 3u : 5u)) std::abort();
                        });
  return 0;
}
