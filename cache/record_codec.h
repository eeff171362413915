#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>

#include "backend/base/text.h"
#include "cache/node_record.h"
#include "cache/tlv.h"

// The parts of a node's record. For node_codec.cc.
namespace cabinetfs::record {

// Writing: what has its default value is left out.
struct Writer : TlvWriter {
  void put(std::uint32_t field, std::uint64_t value) {
    if (value != 0) number(field, value);
  }
  void put(std::uint32_t field, const std::string& value) {
    if (!value.empty()) bytes(field, value);
  }
  void put(std::uint32_t field, WallTime value) {
    if (value != WallTime{}) time(field, value);
  }
  template <class Enum>
  requires std::is_enum_v<Enum>
  void put(std::uint32_t field, Enum value) { put(field, static_cast<std::uint64_t>(value)); }
  void time(std::uint32_t field, WallTime value) { fixed(field, value.time_since_epoch().count()); }
  // Hashes are nearly always lower-case hex: half the space as bytes. The next field number takes
  // any other text.
  void hash(std::uint32_t field, const std::string& value) {
    if (const auto raw = from_hex(value); raw && to_hex(*raw) == value)
      put(field, std::string(as_text(*raw)));
    else
      put(field + 1, value);
  }
};

// Reading. A value that its field cannot hold marks the record as damaged.
struct Reader : TlvReader {
  using TlvReader::TlvReader;
  bool bad = false;

  std::string text() { return std::string(bytes()); }
  WallTime time() { return WallTime(std::chrono::nanoseconds(fixed())); }
  std::string hash() { return to_hex(as_bytes(bytes())); }
  template <class Number>
  Number limited(std::uint64_t last = std::numeric_limits<Number>::max()) {
    const std::uint64_t value = number();
    if (value > last) bad = true;
    return static_cast<Number>(value > last ? 0 : value);
  }
  template <class Enum>
  Enum one_of(Enum last) {
    return static_cast<Enum>(limited<std::uint8_t>(static_cast<std::uint64_t>(last)));
  }
  bool flag() { return limited<std::uint8_t>(1) != 0; }
  // A field that is a record itself.
  template <class T>
  T nested(bool (*decode)(Reader&, T&)) {
    Reader inner(bytes());
    T value{};
    if (!decode(inner, value)) bad = true;
    return value;
  }
  bool good() const { return !failed() && !bad; }
};

std::string encode_entry(const RemoteEntry& entry);
std::string encode_key(const ContentKey& key);
std::string encode_intent(const Intent& intent);
std::string encode_failure(const Failure& failure);

// False when the bytes are not such a record.
bool decode_entry(Reader& in, RemoteEntry& entry);
bool decode_key(Reader& in, ContentKey& key);
bool decode_intent(Reader& in, Intent& intent);
bool decode_failure(Reader& in, Failure& failure);

}  // namespace cabinetfs::record
