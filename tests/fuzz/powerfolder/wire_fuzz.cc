// Answers of PowerFolder's services: any bytes may come. The first byte chooses the parser.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "backend/base/text.h"
#include "backend/powerfolder/quirks.h"
#include "backend/powerfolder/wire.h"

namespace {

using namespace cabinetfs;
using namespace cabinetfs::powerfolder;

void check(bool good) {
  if (!good) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 6) {
    case 0:
      if (const auto folders = parse_folders(body)) {
        for (const WireFolder& folder : *folders) {
          check(!folder.id.empty() && !folder.dav_name().empty());
          check(is_valid_utf8(folder.id) && is_valid_utf8(folder.dav_name()));
        }
      }
      break;
    case 1:
      if (const auto members = parse_members(body)) {
        for (const WireMember& member : *members) {
          check(!member.id.empty() || !member.username.empty());
          if (const auto level = level_of(member.permission)) {
            check(word_of(*level) == member.permission);
          }
        }
      }
      break;
    case 2:
      if (const auto self = parse_self(body)) {
        check(!self->id.empty() || !self->username.empty());
        check(self->allowed != std::optional<std::uint64_t>(0));
      }
      break;
    case 3:
      (void)parse_entry_count(body);
      break;
    case 4:
      if (const auto token = parse_login_token(body)) {
        check(token->find_first_of("\r\n ") == std::string::npos);
      }
      break;
    default:
      if (const auto id = parse_changed_id(body)) check(is_valid_utf8(*id));
  }
  return 0;
}
