// Answers of a WebDAV server: any bytes may come. The first byte chooses the parser.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "backend/base/text.h"
#include "backend/webdav/dav_paths.h"
#include "backend/webdav/quirks.h"
#include "backend/webdav/wire.h"

namespace {

using namespace cabinetfs;
using namespace cabinetfs::webdav;

void check(bool good) {
  if (!good) std::abort();
}

const DavPaths& paths() {
  static const DavPaths made = *DavPaths::make("https://dav.example.com/my%20dav");
  return made;
}

// What a href becomes stays below the root, and means the same when it is asked for.
void check_href(std::string_view href) {
  const auto id = paths().id_of(href);
  if (!id) return;
  if (!id->empty()) {
    for (const std::string& name : split(id->value, '/')) {
      check(!name.empty() && name != "." && name != "..");
      check(name.find('\0') == std::string::npos);
    }
  }
  const std::string url = paths().url(*id, NodeKind::kFolder);
  check(url.compare(0, paths().base().size() + 1, paths().base() + "/") == 0);
  for (const char c : url) check(static_cast<unsigned char>(c) > 0x20 && c != '#' && c != '?');
  check(paths().id_of(url) == id);
}

void check_locks(const std::vector<WireLock>& locks) {
  for (const WireLock& lock : locks) check(lock.owner.size() <= 200 && is_valid_utf8(lock.owner));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 5) {
    case 0:
      if (const auto parsed = parse_multistatus(body)) {
        for (const WireResource& resource : *parsed) {
          check(!resource.href.empty());
          check(resource.status >= 0 && resource.status < 1000);
          check_href(resource.href);
          check_locks(resource.locks);
          const Validator validator = make_validator(resource);
          check(validator.value.size() < 128 && validator == make_validator(resource));
          if (is_strong(resource.etag)) {
            check(fits_validator(validator, &resource.etag, nullptr) == true);
          }
        }
      }
      break;
    case 1:
      if (const auto locks = parse_lock_answer(body)) check_locks(*locks);
      break;
    case 2: {
      const std::string text = parse_error_text(body);
      check(text.size() <= 200 && is_valid_utf8(text));
      break;
    }
    case 3:
      check_href(body);
      break;
    default: {
      const std::string decoded = percent_decode(body);
      check(decoded.size() <= body.size());
      check(percent_decode(percent_encode(body)) == body);
    }
  }
  return 0;
}
