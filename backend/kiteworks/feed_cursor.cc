#include "backend/kiteworks/feed_cursor.h"

#include <charconv>

#include "backend/base/text.h"

namespace cabinetfs::kiteworks {
namespace {

// Of ids in a cursor. More events than that within the overlap are reported twice, no more.
constexpr std::size_t kMaxSeen = 500;

template <class T>
bool parse_number(const std::string& text, T& value) {
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && rest == end && !text.empty();
}

}  // namespace

std::string FeedCursor::to_text() const {
  std::string text = "1." + std::to_string(newest) + ".";
  std::size_t count = 0;
  for (auto id = seen.rbegin(); id != seen.rend() && count < kMaxSeen; ++id, ++count) {
    if (count > 0) text += '-';
    text += std::to_string(*id);
  }
  return text;
}

std::optional<FeedCursor> FeedCursor::parse(const std::string& text) {
  const std::vector<std::string> parts = split(text, '.');
  FeedCursor cursor;
  if (parts.size() != 3 || parts[0] != "1" || !parse_number(parts[1], cursor.newest)) {
    return std::nullopt;
  }
  if (parts[2].empty()) return cursor;
  for (const std::string& part : split(parts[2], '-')) {
    std::uint64_t id = 0;
    if (!parse_number(part, id)) return std::nullopt;
    cursor.seen.insert(id);
  }
  return cursor;
}

}  // namespace cabinetfs::kiteworks
