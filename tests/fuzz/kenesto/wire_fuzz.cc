// Answers of a Kenesto server: any bytes may come. The first byte chooses the parser.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "backend/base/text.h"
#include "backend/kenesto/access_urls.h"
#include "backend/kenesto/quirks.h"
#include "backend/kenesto/wire.h"

namespace {

using namespace cabinetfs;
using namespace cabinetfs::kenesto;

void check(bool good) {
  if (!good) std::abort();
}

void check_page(const WirePage& page) {
  check(page.items.size() <= page.ids.size());
  for (const WireItem& item : page.items) {
    check(parse_guid(item.entry.id.value) == item.entry.id.value);
    check(!item.entry.name.empty() && is_valid_utf8(item.entry.name));
  }
}

void check_data(std::uint8_t choice, const nlohmann::json& data) {
  switch (choice) {
    case 0:
      if (const auto page = parse_documents(data)) check_page(*page);
      break;
    case 1:
      if (const auto versions = parse_versions(data)) {
        std::size_t current = 0;
        for (const RemoteVersion& version : *versions) {
          check(parse_guid(version.id.value) == version.id.value);
          current += version.current ? 1 : 0;
        }
        check(current == 1);
      }
      break;
    case 2:
      if (const auto events = parse_history(data)) {
        for (std::size_t i = 1; i < events->size(); ++i) {
          check((*events)[i - 1].time >= (*events)[i].time);
        }
      }
      break;
    case 3:
      if (const auto folder = parse_folder(data)) check(parse_guid(folder->id) == folder->id);
      (void)parse_count(data);
      (void)parse_used_space(data);
      break;
    case 4:
      if (const auto url = parse_access_url(data)) {
        check(life_of_url(*url, WallTime{}) >= std::chrono::nanoseconds(0));
      }
      break;
    case 5:
      (void)parse_participant(data);
      (void)parse_object_info(data);
      break;
    default:
      if (const auto sequences = parse_sequences(data)) {
        for (const auto& sequence : *sequences) check(!sequence.name.empty());
      }
      (void)parse_text(data);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto choice = static_cast<std::uint8_t>(data[0] % 10);
  if (choice == 8) {
    (void)parse_time(body);
    (void)parse_day_first(body);
    (void)parse_guid(body);
    check(life_of_url(body, WallTime{}) >= std::chrono::nanoseconds(0));
    return 0;
  }
  if (choice == 9) {
    (void)error_code(body, 200, ErrorCode::kDenied);
    (void)code_in(body);
    (void)check_name(std::string(body));
    return 0;
  }
  const auto envelope = parse_envelope(body);
  if (!envelope) return 0;
  if (choice == 7) {
    if (const auto told = parse_authentication(*envelope)) check(!told->token.empty());
    if (const auto told = parse_login(*envelope)) check(!told->token.empty());
    return 0;
  }
  check_data(choice, *envelope->data);
  return 0;
}
