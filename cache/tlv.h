#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cabinetfs {

// Records of numbered fields, for what is stored on this disk. A field is a tag (a varint: four
// times the field's number, plus its shape) and then a varint, eight bytes little endian, or a
// varint length and that many bytes. A reader skips the fields that it does not know, so that a
// later version may add some; a field that is not there has its default.
enum class TlvShape : std::uint8_t { kNumber = 0, kFixed = 1, kBytes = 2 };

class TlvWriter {
 public:
  void number(std::uint32_t field, std::uint64_t value);
  void fixed(std::uint32_t field, std::int64_t value);  // where varints would be longer: times
  void bytes(std::uint32_t field, std::string_view value);

  const std::string& text() const { return out_; }
  std::string take() { return std::move(out_); }

 private:
  void tag(std::uint32_t field, TlvShape shape);
  void varint(std::uint64_t value);
  std::string out_;
};

// Reads fields in the order in which they stand. Never reads beyond its input, never allocates, and
// takes any bytes.
class TlvReader {
 public:
  explicit TlvReader(std::string_view in) : in_(in) {}

  // Goes to the next field. False at the end, or when the bytes are not a record (`failed`).
  bool next();
  bool failed() const { return failed_; }

  std::uint32_t field() const { return field_; }
  // The field's value; one of another shape marks the record as failed and gives 0 or "".
  std::uint64_t number();
  std::int64_t fixed();
  std::string_view bytes();  // points into the input

 private:
  bool varint(std::uint64_t& value);
  bool fail();

  std::string_view in_;
  bool failed_ = false;
  std::uint32_t field_ = 0;
  TlvShape shape_ = TlvShape::kNumber;
  std::uint64_t number_ = 0;
  std::string_view bytes_;
};

}  // namespace cabinetfs
