// store.json, which says what a store on this disk belongs to.
#include <fcntl.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "backend/base/text.h"
#include "tools/cabinetfs/store_info.h"

namespace {

using namespace cabinetfs;

void check(bool good) {
  if (!good) std::abort();
}

// Goes with the process.
struct Directory {
  Directory() {
    std::string name = "/tmp/store_info_fuzz.XXXXXX";
    check(::mkdtemp(name.data()) != nullptr);
    store.state = name;
  }
  ~Directory() {
    ::unlink((store.state + "/store.json").c_str());
    ::rmdir(store.state.c_str());
  }
  StorePaths store;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Directory directory;
  const int fd =
      ::open((directory.store.state + "/store.json").c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
  check(fd >= 0 && ::write(fd, data, size) == static_cast<ssize_t>(size));
  ::close(fd);
  const auto info = read_store_info(directory.store);
  if (!info) return 0;
  check(info->has_value() && is_valid_utf8((*info)->remote) && is_valid_utf8((*info)->url));
  return 0;
}
