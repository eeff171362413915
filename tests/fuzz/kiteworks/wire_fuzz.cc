// Answers of a Kiteworks server: any bytes may come. The first byte chooses the parser.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "backend/base/text.h"
#include "backend/http/http_client.h"
#include "backend/kiteworks/feed_cursor.h"
#include "backend/kiteworks/quirks.h"
#include "backend/kiteworks/validators.h"
#include "backend/kiteworks/wire.h"

namespace {

using namespace cabinetfs;
using namespace cabinetfs::kiteworks;

void check(bool good) {
  if (!good) std::abort();
}

void check_node(const WireNode& node) {
  check(!node.entry.id.empty() && !node.entry.name.empty() && !node.entry.parent.empty());
  check(node.entry.hashes.md5.empty() || node.entry.hashes.md5.size() == 32);
  check(node.entry.hashes.sha3_256.empty() || node.entry.hashes.sha3_256.size() == 64);
  check(is_valid_utf8(node.entry.name));
  check(make_validator(node, 1) == make_validator(node, 1));
}

template <class T>
void check_page(const Result<WirePage<T>>& page) {
  if (page) check(page->items.size() <= page->received);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 13) {
    case 0:
      if (const auto node = parse_node(body)) check_node(*node);
      break;
    case 1: {
      const auto page = parse_nodes(body);
      check_page(page);
      if (page) {
        for (const WireNode& node : page->items) check_node(node);
      }
      break;
    }
    case 2: {
      HttpResponse response;
      response.status = 403;
      response.body = std::string(body);
      const WireError error = parse_error(response);
      check(error.message.size() <= 200 && is_valid_utf8(error.message));
      check(error.message.find('\n') == std::string::npos);
      (void)error_code(error);
      (void)is_throttled(response);
      (void)is_token_rejected(response);
      break;
    }
    case 3:
      check_page(parse_versions(body));
      break;
    case 4:
      check_page(parse_members(body));
      break;
    case 5:
      check_page(parse_activities(body));
      break;
    case 6:
      if (const auto upload = parse_upload(body)) check(!upload->id.empty());
      break;
    case 7:
      if (const auto bulk = parse_bulk(body)) {
        for (const WireNode& node : bulk->nodes) check_node(node);
      }
      break;
    case 8:
      check_page(parse_roles(body));
      (void)parse_quota(body);
      (void)parse_upload_config(body);
      break;
    case 9:
      if (const auto account = parse_account(body)) check(!account->user.id.empty());
      break;
    case 12:
      if (const auto id = parse_id(body)) check(!id->empty());
      break;
    case 10:
      check(id_of_location(body).find_first_of("/?#%.\n ") == std::string::npos);
      break;
    default:
      if (const auto cursor = FeedCursor::parse(std::string(body))) {
        check(FeedCursor::parse(cursor->to_text()).has_value());
      }
  }
  return 0;
}
