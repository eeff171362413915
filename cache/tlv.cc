#include "cache/tlv.h"

#include <limits>

namespace cabinetfs {

void TlvWriter::varint(std::uint64_t value) {
  while (value >= 0x80) {
    out_ += static_cast<char>((value & 0x7f) | 0x80);
    value >>= 7;
  }
  out_ += static_cast<char>(value);
}

void TlvWriter::tag(std::uint32_t field, TlvShape shape) {
  varint(std::uint64_t{field} * 4 + static_cast<std::uint64_t>(shape));
}

void TlvWriter::number(std::uint32_t field, std::uint64_t value) {
  tag(field, TlvShape::kNumber);
  varint(value);
}

void TlvWriter::fixed(std::uint32_t field, std::int64_t value) {
  tag(field, TlvShape::kFixed);
  auto bits = static_cast<std::uint64_t>(value);
  for (int i = 0; i < 8; ++i, bits >>= 8) out_ += static_cast<char>(bits & 0xff);
}

void TlvWriter::bytes(std::uint32_t field, std::string_view value) {
  tag(field, TlvShape::kBytes);
  varint(value.size());
  out_ += value;
}

bool TlvReader::fail() {
  failed_ = true;
  in_ = {};
  return false;
}

bool TlvReader::varint(std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (in_.empty()) return fail();
    const auto byte = static_cast<unsigned char>(in_.front());
    in_.remove_prefix(1);
    if (shift == 63 && byte > 1) return fail();  // more than 64 bits
    value |= std::uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return true;
  }
  return fail();
}

bool TlvReader::next() {
  if (failed_ || in_.empty()) return false;
  std::uint64_t tag = 0;
  if (!varint(tag)) return false;
  if (tag / 4 > std::numeric_limits<std::uint32_t>::max() || tag % 4 > 2) return fail();
  field_ = static_cast<std::uint32_t>(tag / 4);
  shape_ = static_cast<TlvShape>(tag % 4);
  if (shape_ == TlvShape::kNumber) return varint(number_);
  if (shape_ == TlvShape::kFixed) {
    if (in_.size() < 8) return fail();
    number_ = 0;
    for (unsigned i = 0; i < 8; ++i)
      number_ |= std::uint64_t{static_cast<unsigned char>(in_[i])} << (8 * i);
    in_.remove_prefix(8);
    return true;
  }
  std::uint64_t length = 0;
  if (!varint(length)) return false;
  if (length > in_.size()) return fail();
  bytes_ = in_.substr(0, static_cast<std::size_t>(length));
  in_.remove_prefix(static_cast<std::size_t>(length));
  return true;
}

std::uint64_t TlvReader::number() {
  if (shape_ == TlvShape::kNumber) return number_;
  fail();
  return 0;
}

std::int64_t TlvReader::fixed() {
  if (shape_ == TlvShape::kFixed) return static_cast<std::int64_t>(number_);
  fail();
  return 0;
}

std::string_view TlvReader::bytes() {
  if (shape_ == TlvShape::kBytes) return bytes_;
  fail();
  return {};
}

}  // namespace cabinetfs
